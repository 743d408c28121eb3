#!/usr/bin/env bash
# Builds each static binary and holds its bytes against its line in tests/budget: none
# grows without a commit that says why. In none of them is anything both writable and
# executable, or a constant executable.
#
#   tests/budget.sh            fails where one is larger than its line
#   tests/budget.sh --write    makes each line what its binary has
set -eu
# shellcheck source=scripts/lib/setup.sh
. "$(dirname "$0")/../scripts/lib/setup.sh"
# shellcheck source=scripts/lib/tiers.sh
. "$top/scripts/lib/tiers.sh"

need binutils
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
budget=$top/tests/budget
passed=0 failed=0 lines=

# held TIER ARCH BYTES: against its line
held() {
    local line
    line=$(awk -v tier="$1" -v arch="$2" '$1 == tier && $2 == arch { print $3 }' "$budget")
    if [ -z "$line" ]; then
        echo "FAILED: $1 $2 has no line in tests/budget (tests/budget.sh --write makes it)"
        return 1
    elif [ "$3" -gt "$line" ]; then
        echo "FAILED: $1 $2 has grown by $(($3 - line)) bytes, to $3. If it has to, raise its" \
            "line in tests/budget (tests/budget.sh --write), in the commit that says why."
        return 1
    fi
    echo "$1 $2: $3 bytes, $((line - $3)) below its line"
}

# separated BINARY: its segments, with the sections in each
separated() {
    local segments
    segments=$(readelf -lW "$1") || return 1
    if grep -E '^ *(LOAD|GNU_STACK) .* (RWE|WE) ' <<<"$segments" ||
        ! grep -qE '^ *GNU_STACK .* RW ' <<<"$segments" ||
        grep -E '^ *[0-9]+ .*\.rodata\b.*\.text\b' <<<"$segments"; then
        echo "FAILED: $1: what is executable is not by itself"
        return 1
    fi
}

# Each architecture has its own folder to build in: all at once.
for arch in "${architectures[@]}"; do
    for tier in "${tiers[@]}"; do
        binary "$tier" "$arch" || break
    done >"$work/$arch" 2>"$work/$arch.said" &
done
wait
for arch in "${architectures[@]}"; do
    cat "$work/$arch.said" >&2
    mapfile -t paths <"$work/$arch"
    for at in "${!tiers[@]}"; do
        tier=${tiers[at]}
        if [ ! -x "${paths[at]:-}" ]; then
            echo "FAILED: $tier $arch could not be built"
            failed=$((failed + 1))
            continue
        fi
        bytes=$(stat -c %s "${paths[at]}")
        lines+="$tier $arch $bytes"$'\n'
        if [ "${1:-}" = --write ] || { held "$tier" "$arch" "$bytes" && separated "${paths[at]}"; }; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
        fi
    done
done
if [ "${1:-}" = --write ]; then
    [ "$failed" = 0 ]
    { grep '^#' "$budget" && printf %s "$lines"; } >"$budget.new"
    mv "$budget.new" "$budget"
    exit
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
