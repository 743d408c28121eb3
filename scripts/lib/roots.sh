# shellcheck shell=bash disable=SC2154
# Debian 12 root file systems, to run in them what would change the machine's own.
# Sourced after setup.sh and kernels.sh.

# debian_root PACKAGE... prints a minimal root that has these packages. It is kept
# in the cache and stays as it is: work on a copy.
debian_root() {
    local dir=$cache/root-bookworm tmp mirror
    dir+=$(printf -- '-%s' "$@")
    if [ ! -d "$dir" ]; then
        need debootstrap debian-archive-keyring
        echo "making a root with $*" >&2
        # What debootstrap can't use, as apt's own mirror lists, it is not told.
        mirror=$(main_mirror)
        [[ $mirror == http* ]] || mirror=
        mkdir -p "$cache"
        tmp=$(mktemp -d "$cache/tmp.XXXXXX")
        quietly debootstrap --variant=minbase --include="$(IFS=, && echo "$*")" \
            bookworm "$tmp/root" ${mirror:+"$mirror"} || {
            rm -rf "$tmp"
            die "could not make a root with $*"
        }
        rm -rf "$tmp/root"/var/{cache/apt,lib/apt/lists}/*
        # The rename makes it all or nothing; the loser of a race throws its own away.
        mv -T "$tmp/root" "$dir" 2>/dev/null || [ -d "$dir" ]
        rm -rf "$tmp"
    fi
    echo "$dir"
}

# in_root ROOT COMMAND... runs it there, with /proc and /sys; /dev is the root's own.
in_root() {
    local root=$1 propagation=private
    shift
    # In a chroot that is no mount point, mounts can't be kept to ourselves.
    unshare --mount true 2>/dev/null || propagation=unchanged
    # shellcheck disable=SC2016 # the inner shell's own
    unshare --mount --propagation "$propagation" sh -euc 'cd "$0"
        trap "umount -l proc sys" EXIT
        trap "exit 1" INT TERM
        mount -t proc proc proc
        mount -t sysfs sys sys
        chroot . env -i PATH=/usr/sbin:/usr/bin HOME=/root LC_ALL=C "$@"' "$root" "$@" </dev/null
}
