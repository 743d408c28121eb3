# shellcheck shell=bash disable=SC2154
# Real kernels to load modules into. They come as Debian packages that are
# downloaded and unpacked, never installed, and kept in the cache under their
# package's version. Sourced after setup.sh.
#
#   kernel NAME              prints a folder that holds
#       kernel             what to boot
#       lib/modules/REL    its modules as the distribution ships them, indexed
#
#   uml    User-mode Linux 6.1: plain .ko, boots in two seconds
#   6.1    Debian 12's generic amd64 kernel: plain .ko, signed
#   6.12   the same from backports: .ko.xz, which the kernel can decompress
#   6.1-arm64, 6.1-armmp    Debian 12's for aarch64 and for armv7: plain .ko, arm64's signed
#   6.1-s390x   the same for a big-endian machine, for its module tree
#   SUITE/FLAVOUR   the newest of one of Debian's suites, as sid/riscv64: for its module tree

kernel() {
    local name=$1 arch flavour package dir tmp
    local options=(-o APT::Sandbox::User=root) update=refresh_lists
    [ "$(uname -m)" = x86_64 ] || die "the test kernels are for x86_64 machines"
    if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
        die "the test kernels are Debian packages: apt-get and dpkg-deb are needed"
    fi
    need kmod:depmod
    arch=$(kernel_arch "$name") || die "no such kernel: $name"
    flavour=$arch
    case $name in
    uml | 6.1) ;;
    6.12) private_apt bookworm-backports ;;
    6.1-armmp) flavour=armmp && private_apt bookworm ;;
    */*) flavour=${name#*/} && private_apt "${name%/*}" ;;
    *) private_apt bookworm ;;
    esac
    newest
    if [ ! -d "$dir" ]; then
        $update && newest
        [ -n "$dir" ] || die "apt knows no package for kernel $name"
    fi
    if [ ! -d "$dir" ]; then
        echo "fetching kernel $name: $package" >&2
        mkdir -p "$cache"
        tmp=$(mktemp -d "$cache/tmp.XXXXXX")
        fetch "$package" "$tmp" || die "could not fetch kernel $name"
        # The rename makes it all or nothing; the loser of a race throws its own away.
        mv -T "$tmp/root" "$dir" 2>/dev/null || [ -d "$dir" ]
        rm -rf "$tmp"
    fi
    echo "$dir"
}

# kernel_arch NAME prints the architecture of its machine, as Debian names it.
kernel_arch() {
    case $1 in
    uml | 6.1 | 6.12) echo amd64 ;;
    6.1-arm64) echo arm64 ;;
    6.1-armmp) echo armhf ;;
    6.1-s390x) echo s390x ;;
    */armmp) echo armhf ;;
    */686-pae) echo i386 ;;
    */powerpc64le) echo ppc64el ;;
    */5kc-malta) echo mips64el ;;
    */*) echo "${1#*/}" ;;
    *) return 1 ;;
    esac
}

# The uname -r of an unpacked kernel.
release() {
    basename "$1"/lib/modules/*
}

# Sets package, as NAME=VERSION, or several of these, and its dir, empty where apt knows none.
newest() {
    local version modules
    package=user-mode-linux
    dir=
    # linux-image-FLAVOUR is empty and depends on the newest kernel.
    if [ "$name" != uml ]; then
        package=$(apt-cache "${options[@]}" depends --important "linux-image-$flavour" 2>/dev/null |
            sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p')
    fi
    version=$(version_of "${package:-none}")
    [ -n "$version" ] || return 0
    dir=$cache/$package-$version
    modules=${package/image/modules}
    if [[ $name == */* && -n $(version_of "$modules") ]]; then
        # Newer ones have modules and lists in packages of their own.
        package="$modules=$version ${package/image/base}=$version"
    else
        package=$package=$version
    fi
}

# version_of PACKAGE: the newest that apt knows
version_of() {
    apt-cache "${options[@]}" show --no-all-versions "$1" 2>/dev/null | sed -n 's/^Version: //p'
}

main_mirror() {
    # shellcheck disable=SC2016 # apt's own variable
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' |
        head -n 1
}

# private_apt SUITE sets options and update: an apt of our own that knows nothing
# but this suite, for $arch, on the mirror that the machine uses for its main one.
# The machine's own setup stays as it is, with no foreign architecture in it.
private_apt() {
    local suite=$1 apt=$cache/apt/$1-$arch mirror
    mirror=$(main_mirror)
    if [ -z "$mirror" ]; then
        refresh_lists
        mirror=$(main_mirror)
    fi
    [ -n "$mirror" ] || die "kernel $name is from Debian 12, and this machine is not Debian 12"
    mkdir -p "$apt/lists/partial" "$apt/archives/partial"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" \
        >"$apt/sources.list"
    options+=(
        -o "APT::Architecture=$arch" -o "APT::Architectures=$arch"
        -o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt"
        -o "APT::Default-Release=$suite"
    )
    update=update_private_apt
}

update_private_apt() {
    quietly apt-get "${options[@]}" update
}

fetch() {
    local root=$2/root packages deb
    read -ra packages <<<"$1"
    (cd "$2" && quietly apt-get "${options[@]}" download "${packages[@]}") || return 1
    for deb in "$2"/*.deb; do
        dpkg-deb -x "$deb" "$root" || return 1
    done
    if [ -d "$root/usr/lib/uml" ]; then
        mkdir "$root/lib" &&
            mv "$root/usr/lib/uml/modules" "$root/lib" &&
            ln -s usr/bin/linux.uml "$root/kernel"
    else
        [ -e "$root/lib" ] || ln -s usr/lib "$root/lib"
        # The package leaves the indexes to its installation.
        ln -s "boot/vmlinuz-$(release "$root")" "$root/kernel" &&
            depmod -b "$root" "$(release "$root")"
    fi
}
