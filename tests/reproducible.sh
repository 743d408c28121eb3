#!/usr/bin/env bash
# Builds the static binary a second time, from a copy of the sources in another folder
# and with another home for Cargo, and holds the bytes of both against each other; then
# looks for the paths of this machine in BINARY..., by default the two.
#
#   tests/reproducible.sh [BINARY...]
set -eu
# shellcheck source=scripts/lib/setup.sh
. "$(dirname "$0")/../scripts/lib/setup.sh"

# With the C libraries, and without what is more of the same.
tier=boot
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

# verdict WHAT STATUS
verdict() {
    if [ "$2" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $1"
    fi
}

home=${CARGO_HOME:-$HOME/.cargo}
first=$("$top/scripts/build" --tier $tier | tail -n 1)
# The sources as they are here, committed or not.
mkdir -p "$work/elsewhere/sources" "$work/home"
tar -C "$top" --exclude=./target --exclude=./.git -c . | tar -C "$work/elsewhere/sources" -x
# What was fetched before need not be fetched again.
[ ! -d "$home/registry/cache" ] || cp -r "$home/registry" "$work/home"
rm -rf "$work/home/registry/src"
second=$(CARGO_HOME=$work/home "$work/elsewhere/sources/scripts/build" --tier $tier | tail -n 1)
sha256sum "$first" "$second"
status=0
cmp "$first" "$second" || status=1
verdict "the same bytes in $top and in $work" $status

[ $# -gt 0 ] || set -- "$first" "$second"
for binary in "$@"; do
    status=0
    # Both machines' worth of paths: sources, crates, the toolchain's own sources.
    found=$(strings -n 4 "$binary" | grep -F -e "$top" -e "$work" -e "$home" -e "$HOME/" \
        -e rustlib -e .cargo -e registry -e /usr/src -e /build/ || true)
    [ -z "$found" ] || { status=1 && printf '%s\n' "$found"; }
    verdict "no path of this machine in $binary" $status
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
