# shellcheck shell=bash disable=SC2034
# What every script starts with: where the repository and the cache are, and
# how missing tools get installed. Sourced, with `set -eu` already in force.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${NANOMOD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nanomod}
# The tools of kernel modules and of file systems; not in every user's PATH.
PATH=$PATH:/usr/sbin:/sbin

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# Runs a command as root; a container or a CI machine is root and has no sudo.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "this needs root: $*"
    fi
}

# Output only matters when the command fails: apt is talkative.
quietly() {
    local out
    out=$("$@" 2>&1) || {
        printf '%s\n' "$out" >&2
        return 1
    }
}

# need PACKAGE[:COMMAND]... installs the Debian packages that are missing. One
# whose COMMAND is in PATH is there already, wherever it came from.
need() {
    local item package missing=()
    for item in "$@"; do
        package=${item%%:*}
        if [ "$package" != "$item" ] && command -v "${item#*:}" >/dev/null; then
            continue
        fi
        if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
            missing+=("$package")
        fi
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null ||
        die "install these by hand (the names are Debian's packages): ${missing[*]}"
    echo "installing ${missing[*]}" >&2
    mkdir -p "$cache"
    {
        # Scripts may run at the same time, and apt may not.
        flock 9
        refresh_lists
        install_packages "${missing[@]}" || die "could not install: ${missing[*]}"
    } 9>"$cache/apt.lock"
}

# Lists that are a day old name packages that the mirror has replaced. Without a
# network, what is there has to do.
refresh_lists() {
    [ -z "${lists_are_fresh:-}" ] || return 0
    lists_are_fresh=yes
    quietly as_root apt-get update || true
}

install_packages() {
    quietly as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "$@"
}
