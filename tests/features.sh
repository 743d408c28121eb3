#!/usr/bin/env bash
# Builds nanomod with each cargo feature alone and with all others but it, and runs the
# tests of its units each time: every optional part is whole files, which the rest has to
# do without.
#
#   tests/features.sh [FEATURE...]     all by default
set -u
cd "$(dirname "$0")/.." || exit

features() {
    sed -n '/^\[features\]/,/^\[dep/p' Cargo.toml | sed -n 's/^\([a-z-]*\) = .*/\1/p' |
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
    local log
    if log=$(cargo test --quiet --locked --bin nanomod --no-default-features --features "$2" 2>&1); then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED: %s\n%s\n' "$1" "$log"
    fi
}

[ $# -gt 0 ] || mapfile -t wanted < <(features)
for feature in "${@:-${wanted[@]}}"; do
    tried "$feature alone" "$feature"
    tried "all but $feature" "$(others "$feature")"
done
for tier in tiny boot; do
    tried "the tier $tier" "$tier"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
