#!/usr/bin/env bash
# Makes a release and looks at what is in it: the sums, that each binary is static, runs
# (those of other machines under qemu) and has what its tier has, that the list beside it
# is sound CycloneDX and names what is inside, and that every licence is there.
set -eu
# shellcheck source=scripts/lib/setup.sh
. "$(dirname "$0")/../scripts/lib/setup.sh"
# shellcheck source=scripts/lib/tiers.sh
. "$top/scripts/lib/tiers.sh"

need jq binutils qemu-user:qemu-aarch64
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

# check WHAT COMMAND...
check() {
    local what=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED: %s\n' "$what"
        cat "$work/log"
    fi
}

# The schema comes with CycloneDX's own library.
validator() {
    local dir=$cache/cyclonedx-11 tmp
    if [ ! -d "$dir" ]; then
        need python3-venv
        mkdir -p "$cache"
        tmp=$(mktemp -d "$cache/tmp.XXXXXX")
        python3 -m venv "$tmp" &&
            quietly "$tmp/bin/python3" -m pip install 'cyclonedx-python-lib[json-validation]==11.*'
        mv -T "$tmp" "$dir" 2>/dev/null || [ -d "$dir" ]
    fi
    echo "$dir/bin/python3"
}

is_sound() {
    "$python" - "$1" <<'PYTHON'
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
error = JsonStrictValidator(SchemaVersion.V1_5).validate_str(open(sys.argv[1]).read())
sys.exit(str(error) if error else 0)
PYTHON
}

is_static() {
    readelf -hl "$1" | tee "$work/elf"
    grep -q 'Type: *EXEC' "$work/elf" && ! grep -q 'INTERP\|DYNAMIC' "$work/elf"
}

# version_of FILE ARCH: what it says when it runs
version_of() {
    case $2 in
    x86_64) "$1" --version ;;
    armv7) qemu-arm "$1" --version ;;
    *) "qemu-$2" "$1" --version ;;
    esac
}

# has_features TIER: those of the tier, and of the tiers in it, and no other
has_features() {
    local expected
    expected=$(expanded "$1" | sort -u)
    diff <(echo "$expected") <(tail -n +2 "$work/version" | tr ' ' '\n' |
        sed -n 's/^+//p' | tr '[:upper:]' '[:lower:]' | sort)
}

expanded() {
    local item
    for item in $(sed -n "s/^$1 = \[\(.*\)\]/\1/p" "$top/Cargo.toml" | tr -d '",'); do
        case $item in
        full | boot | tiny) expanded "$item" ;;
        dep:*) ;;
        *) echo "$item" ;;
        esac
    done
}

# names LIST: what a binary has, and nothing that it has not
names() {
    local feature part
    jq -r '.components[].name' "$1" >"$work/names"
    grep -qx std "$work/names" && grep -qx musl "$work/names" && grep -qx nix "$work/names" || return 1
    while read -r feature part; do
        if grep -qx "$part" "$work/names" && grep -q -- "-$feature\b" "$work/version"; then
            echo "$part is listed, and $feature is not there"
            return 1
        elif ! grep -qx "$part" "$work/names" && grep -q -- "+$feature\b" "$work/version"; then
            echo "$part is not listed, and $feature is there"
            return 1
        fi
    done <<'PARTS'
CLAP clap
GZIP miniz_oxide
XZ xz
ZSTD libzstd
PARTS
    # What only builds or tests is not inside.
    ! grep -x 'cc\|tempfile\|pkg-config\|syn' "$work/names" &&
        jq -e 'all(.components[]; (.version | length) > 0
            and (.licenses[0].expression | length) > 0)' "$1" &&
        jq -e --arg sum "$(sha256sum "${1%.cdx.json}" | cut -d ' ' -f 1)" \
            '.metadata.component.hashes[0].content == $sum' "$1"
}

# licensed LIST: each part has its licence
licensed() {
    jq -r '.components[] | "\(.name) \(.version): \(.licenses[0].expression)"' "$1" |
        while read -r line; do
            grep -qxF "$line" "$release/LICENSES" || { echo "no licence of $line" && return 1; }
        done
}

sums_are_right() {
    (cd "$release" && sha256sum -c SHA256SUMS)
}

python=$(validator)
release=$("$top/scripts/release" "$work/release" | tail -n 1)
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$top/Cargo.toml" | head -n 1)
check "the sums" sums_are_right
check "every file has its sum" \
    test "$(wc -l <"$release/SHA256SUMS")" = "$(($(find "$release" -type f | wc -l) - 1))"
for arch in "${architectures[@]}"; do
    for tier in "${tiers[@]}"; do
        file=$release/nanomod-$version-$arch-$tier
        check "$tier $arch is static" is_static "$file"
        check "$tier $arch runs" version_of "$file" "$arch"
        cp "$work/log" "$work/version"
        check "$tier $arch has its features" has_features "$tier"
        check "the list of $tier $arch is CycloneDX" is_sound "$file.cdx.json"
        check "the list of $tier $arch names what is inside" names "$file.cdx.json"
        check "what is inside $tier $arch has a licence" licensed "$file.cdx.json"
    done
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
