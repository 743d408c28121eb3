#!/usr/bin/env bash
# Builds nanomod with each cargo feature alone and with all others but it, without a
# warning, and runs the tests of its units each time: every optional part is whole files,
# which the rest has to do without.
#
#   tests/features.sh [FEATURE...]     all, and the tiers, by default
set -eu
# shellcheck source=scripts/lib/setup.sh
. "$(dirname "$0")/../scripts/lib/setup.sh"
# shellcheck source=scripts/lib/tiers.sh
. "$top/scripts/lib/tiers.sh"
cd "$top"

# Quick to build: nobody looks at the symbols, and no set of features is built twice.
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 RUSTFLAGS=-Dwarnings

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
lanes=2

# tried WHAT=FEATURES
tried() {
    local log set=(--quiet --locked --bin nanomod --no-default-features --features "${1#*=}")
    if log=$(cargo check "${set[@]}" 2>&1 && cargo test "${set[@]}" 2>&1); then
        echo passed
    else
        printf 'FAILED: %s\n%s\n' "${1%%=*}" "$log"
    fi
}

# lane NUMBER: each has its own folder, as Cargo builds one set at a time in one.
lane() {
    local at
    export CARGO_TARGET_DIR=$top/target/features-$1
    for ((at = $1; at < ${#sets[@]}; at += lanes)); do
        tried "${sets[at]}"
    done
}

wanted=("$@") sets=()
if [ $# = 0 ]; then
    mapfile -t wanted < <(all_features)
    sets=("nothing=" "the tier tiny=tiny" "the tier boot=boot")
fi
for feature in "${wanted[@]}"; do
    sets+=("$feature alone=$feature" "all but $feature=$(all_but "$feature")")
done
for ((number = 0; number < lanes; number++)); do
    lane "$number" >"$work/$number" &
done
wait
cat "$work"/* >"$work/all"
grep -vx passed "$work/all" || true
passed=$(grep -cx passed "$work/all" || true)
echo "$passed passed, $((${#sets[@]} - passed)) failed"
[ "$passed" = ${#sets[@]} ]
