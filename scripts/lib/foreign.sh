# shellcheck shell=bash disable=SC2034,SC2154
# Debian 12's packages of any architecture, unpacked and never installed: the machine
# gets no foreign architecture, and its own packages stay as they are. Sourced after
# setup.sh and kernels.sh.

# unpacked ARCH [--alone] PACKAGE... prints a folder with these packages, and with all
# that they depend on unless --alone. It is kept in the cache and stays as it is. $suite:
# Debian's, if it is not bookworm.
unpacked() {
    local arch=$1 deep=yes dir tmp deb
    # private_apt's: what it calls itself in a message, and where it puts its answers
    local name=$1 options=(-o APT::Sandbox::User=root) update
    shift
    [ "$1" != --alone ] || { deep=no && shift; }
    dir=$cache/unpacked-${suite:-bookworm}-$arch
    dir+=$(printf -- '-%s' "$@")
    if [ ! -d "$dir" ]; then
        if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
            die "Debian's packages are needed, and so apt-get and dpkg-deb: $*"
        fi
        echo "fetching for $arch: $*" >&2
        private_apt "${suite:-bookworm}"
        $update
        mkdir -p "$cache"
        tmp=$(mktemp -d "$cache/tmp.XXXXXX")
        mkdir "$tmp/root" "$tmp/partial"
        # Nothing is installed there, so all that is needed is to be fetched.
        : >"$tmp/status"
        options+=(-o "Dir::State::status=$tmp/status" -o "Dir::Cache::archives=$tmp")
        if [ "$deep" = yes ]; then
            quietly apt-get "${options[@]}" install -y --download-only --no-install-recommends "$@"
        else
            (cd "$tmp" && quietly apt-get "${options[@]}" download "$@")
        fi || die "could not fetch for $arch: $*"
        for deb in "$tmp"/*.deb; do
            dpkg-deb -x "$deb" "$tmp/root"
        done
        # The rename makes it all or nothing; the loser of a race throws its own away.
        mv -T "$tmp/root" "$dir" 2>/dev/null || [ -d "$dir" ]
        rm -rf "$tmp"
    fi
    echo "$dir"
}

# cross_musl ARCH FOLDER makes FOLDER/musl-gcc, a compiler and linker of static programs
# for another architecture, as named by Debian: its cross gcc with its musl. Sets gnu to
# the name that gcc has for it.
cross_musl() {
    local arch=$1 to=$2 dir musl
    case $arch in
    arm64) gnu=aarch64-linux-gnu musl=aarch64-linux-musl ;;
    armhf) gnu=arm-linux-gnueabihf musl=arm-linux-musleabihf ;;
    s390x) gnu=s390x-linux-gnu musl=s390x-linux-musl ;;
    *) die "no musl for $arch" ;;
    esac
    need "gcc-$gnu:$gnu-gcc"
    dir=$(unpacked "$arch" --alone musl-dev)
    mkdir -p "$to"
    # It says where it is installed, which it isn't; and how to start a program that may
    # lie anywhere, which these don't.
    sed "s|/usr/|$dir/usr/|g; s/Scrt1\.o/crt1.o/; s/\(crtbegin\|crtend\)S\.o/\1.o/" \
        "$dir/usr/lib/$musl/musl-gcc.specs" >"$to/musl-gcc.specs"
    printf '#!/bin/sh\nexec %s-gcc -specs "%s" "$@"\n' "$gnu" "$to/musl-gcc.specs" >"$to/musl-gcc"
    chmod 755 "$to/musl-gcc"
}

# triple ARCH prints Rust's name for the static binary's target, of uname's for the machine.
triple() {
    case $1 in
    armv7) echo armv7-unknown-linux-musleabihf ;;
    *) echo "$1-unknown-linux-musl" ;;
    esac
}

# debian_name ARCH prints Debian's name for it.
debian_name() {
    case $1 in
    x86_64) echo amd64 ;;
    aarch64) echo arm64 ;;
    armv7) echo armhf ;;
    s390x) echo s390x ;;
    *) die "no such architecture yet: $1" ;;
    esac
}
