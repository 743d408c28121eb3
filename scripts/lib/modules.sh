# shellcheck shell=bash disable=SC2034,SC2154
# The modules of tests/modules, built for the kernels `6.1`, `6.1-arm64` and `6.1-armmp`.
# User-mode Linux has no headers to build with. Sourced after setup.sh and kernels.sh.

# test_modules DIR prints a folder that holds their .ko, DIR being what `kernel` printed. It
# is kept in the cache, under the kernel's version and a hash of the sources.
test_modules() {
    local image=${1##*/linux-image-} sources=$top/tests/modules rel arch machine
    local cross='' hash dir tmp
    rel=$(release "$1")
    case $rel in
    6.1.*-amd64) arch=amd64 machine=x86 ;;
    6.1.*-arm64) arch=arm64 machine=arm64 cross=aarch64-linux-gnu- ;;
    6.1.*-armmp) arch=armhf machine=arm cross=arm-linux-gnueabihf- ;;
    *) die "the test modules are not for the kernel $rel" ;;
    esac
    hash=$(cat "$sources"/* | sha256sum | cut -c 1-16)
    dir=$cache/modules-$image-$hash
    if [ ! -d "$dir" ]; then
        # What the kernel's own headers name as its compiler, and what their tools link to.
        need "gcc-12${cross:+-${cross%-}}" make libelf1
        mkdir -p "$cache"
        tmp=$(mktemp -d "$cache/tmp.XXXXXX")
        cp -r "$sources" "$tmp/build"
        build_modules "$(kernel_headers "$image")" "$tmp" || {
            rm -rf "$tmp"
            die "could not build the test modules"
        }
        # The rename makes it all or nothing; the loser of a race throws its own away.
        mv -T "$tmp/made" "$dir" 2>/dev/null || [ -d "$dir" ]
        rm -rf "$tmp"
    fi
    echo "$dir"
}

build_modules() {
    echo "building the test modules for $rel" >&2
    quietly make -C "$1" -j "$(nproc)" ARCH="$machine" CROSS_COMPILE="$cross" \
        M="$2/build" modules && mkdir "$2/made" && mv "$2"/build/*.ko "$2/made"
}

# kernel_headers RELEASE-VERSION prints the folder to call make in for that kernel. Like
# the kernel itself they are unpacked, not installed.
kernel_headers() {
    local version=${1#"$rel-"} dir tmp
    # private_apt's: what it calls itself in a message, and where it puts its answers
    local name=$rel options=(-o APT::Sandbox::User=root) update=refresh_lists
    dir=$cache/linux-headers-$1
    if [ ! -d "$dir" ]; then
        echo "fetching headers of $rel" >&2
        [ "$arch" = amd64 ] || private_apt bookworm
        tmp=$(mktemp -d "$cache/tmp.XXXXXX")
        if ! fetch_headers "$tmp"; then
            # The mirror may have a newer kernel by now, which the next run takes.
            refresh_lists
            $update
            fetch_headers "$tmp" || die "could not fetch headers of $rel $version: try again"
        fi
        mv -T "$tmp/root" "$dir" 2>/dev/null || [ -d "$dir" ]
        rm -rf "$tmp"
    fi
    echo "$dir/usr/src/linux-headers-$rel"
}

fetch_headers() {
    local common=linux-headers-${rel%-*}-common package
    # Their tools are for this machine, whatever the kernel is for.
    (cd "$1" && quietly apt-get "${options[@]}" download \
        "linux-headers-$rel=$version" "$common=$version" &&
        quietly apt-get -o APT::Sandbox::User=root download \
            "linux-kbuild-${rel%%.0-*}=$version") || return 1
    for package in "$1"/*.deb; do
        dpkg-deb -x "$package" "$1/root" || return 1
    done
    # The one path in them that is absolute.
    sed -i 's|^include /usr/src/|include ../|' "$1/root/usr/src/linux-headers-$rel/Makefile"
}
