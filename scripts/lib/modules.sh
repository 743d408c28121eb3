# shellcheck shell=bash disable=SC2154
# The modules of tests/modules, built for the kernel `6.1`. Sourced after setup.sh.

# test_modules DIR prints a folder that holds their .ko, DIR being what `kernel 6.1`
# printed. It is kept in the cache, under the kernel's version and a hash of the sources.
test_modules() {
    local image=${1##*/} sources=$top/tests/modules hash dir tmp
    case $image in
    linux-image-6.1.*-amd64-*) ;;
    *) die "the test modules are for the kernel 6.1" ;;
    esac
    hash=$(cat "$sources"/* | sha256sum | cut -c 1-16)
    dir=$cache/modules-${image#linux-image-}-$hash
    if [ ! -d "$dir" ]; then
        # What the kernel's own headers name as its compiler, and what their tools link to.
        need gcc-12 make libelf1
        tmp=$(mktemp -d "$cache/tmp.XXXXXX")
        cp -r "$sources" "$tmp/build"
        build_modules "$(kernel_headers "${image#linux-image-}")" "$tmp" || {
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
    echo "building the test modules" >&2
    quietly make -C "$1" -j "$(nproc)" M="$2/build" modules && mkdir "$2/made" &&
        mv "$2"/build/*.ko "$2/made"
}

# kernel_headers RELEASE-VERSION prints the folder to call make in for that kernel. Like
# the kernel itself they are unpacked, not installed.
kernel_headers() {
    local version=${1##*-amd64-} rel dir tmp
    rel=${1%-"$version"}
    dir=$cache/linux-headers-$1
    if [ ! -d "$dir" ]; then
        echo "fetching headers of $rel" >&2
        tmp=$(mktemp -d "$cache/tmp.XXXXXX")
        if ! fetch_headers "$tmp"; then
            # The mirror may have a newer kernel by now, which the next run takes.
            refresh_lists
            fetch_headers "$tmp" || die "could not fetch headers of $rel $version: try again"
        fi
        mv -T "$tmp/root" "$dir" 2>/dev/null || [ -d "$dir" ]
        rm -rf "$tmp"
    fi
    echo "$dir/usr/src/linux-headers-$rel"
}

fetch_headers() {
    local common=linux-headers-${rel%-amd64}-common package
    (cd "$1" && quietly apt-get -o APT::Sandbox::User=root download \
        "linux-headers-$rel=$version" "$common=$version" "linux-kbuild-${rel%%.0-*}=$version") ||
        return 1
    for package in "$1"/*.deb; do
        dpkg-deb -x "$package" "$1/root" || return 1
    done
    # The one path in them that is absolute.
    sed -i 's|^include /usr/src/|include ../|' "$1/root/usr/src/linux-headers-$rel/Makefile"
}
