#!/usr/bin/env bash
# Builds nanomod with each cargo feature alone and with all others but it, without a
# warning, and runs the tests of its units each time: every optional part is whole files,
# which the rest has to do without.
#
#   tests/features.sh [FEATURE...]     all, and the tiers, by default
set -u
cd "$(dirname "$0")/.." || exit

# Quick to build: nobody looks at the symbols, and no set of features is built twice.
export CARGO_TARGET_DIR=$PWD/target/features CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0
export RUSTFLAGS=-Dwarnings

features() {
    sed -n '/^\[features\]/,/^\[dep/p' Cargo.toml | sed -n 's/^\([a-z0-9-]*\) = .*/\1/p' |
        grep -vx 'default\|full\|boot\|tiny'
}

# others FEATURE: those that do without it, too; a tier's name is no feature of its own.
others() {
    features | while read -r other; do
        grep -q "^$other = .*\"$1\"" Cargo.toml || [ "$other" = "$1" ] || echo "$other"
    done | paste -sd,
}

passed=0 failed=0
# tried WHAT FEATURES
tried() {
    local log set=(--quiet --locked --bin nanomod --no-default-features --features "$2")
    if log=$(cargo check "${set[@]}" 2>&1 && cargo test "${set[@]}" 2>&1); then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED: %s\n%s\n' "$1" "$log"
    fi
}

if [ $# -gt 0 ]; then
    wanted=("$@")
else
    mapfile -t wanted < <(features)
    tried "none" ""
    tried "the tier tiny" tiny
    tried "the tier boot" boot
fi
for feature in "${wanted[@]}"; do
    tried "$feature alone" "$feature"
    tried "all but $feature" "$(others "$feature")"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
