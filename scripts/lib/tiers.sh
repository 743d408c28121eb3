# shellcheck shell=bash disable=SC2034,SC2154
# The static binaries that there are. Sourced after setup.sh.

tiers=(full boot tiny)
architectures=(x86_64 aarch64 armv7)

# binary TIER ARCH prints its path, when it is built and up to date.
binary() {
    local said
    said=$("$top/scripts/build" --tier "$1" --arch "$2") && echo "${said##*$'\n'}"
}

# all_features prints them, without the tiers.
all_features() {
    sed -n '/^\[features\]/,/^\[dep/s/^\([a-z0-9-]*\) = .*/\1/p' "$top/Cargo.toml" |
        grep -vx 'default\|full\|boot\|tiny'
}

# all_but FEATURE prints the others, by commas, but for those that need it.
all_but() {
    all_features | while read -r other; do
        grep -q "^$other = .*\"$1\"" "$top/Cargo.toml" || [ "$other" = "$1" ] || echo "$other"
    done | paste -sd,
}
