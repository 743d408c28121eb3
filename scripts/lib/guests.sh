# shellcheck shell=bash disable=SC2154
# An initramfs of a few of a kernel's modules, and a boot of it. Sourced after
# setup.sh and kernels.sh; install_built wants modules.sh, too. DIR is always what `kernel`
# printed, ROOT the folder that becomes the initramfs.

# module_files DIR MODULE... prints the files of these modules and of all that
# they need, relative to lib/modules/REL. The reference resolves them: what is
# under test must not choose its own test data.
module_files() {
    local dir=$1 base word file plan
    base=$dir/lib/modules/$(release "$dir")/
    shift
    [ $# -gt 0 ] || return 0
    plan=$(modprobe -C /dev/null -d "$dir" -S "$(release "$dir")" -a -D "$@") || return 1
    while read -r word file _; do
        # The alternative is `builtin NAME`, which needs no file.
        [ "$word" != insmod ] || echo "${file#"$base"}"
    done <<<"$plan" | sort -u
}

# install_modules DIR ROOT KIND MODULE... makes ROOT/lib/modules/REL of these
# modules, with indexes of nanomod's. KIND says how the files are compressed:
# shipped (as in the distribution), plain, gz, xz, xz-crc64, zst. The kernel
# decompresses xz only with CRC32, hence the two.
install_modules() {
    local dir=$1 root=$2 kind=$3 rel from to file files
    shift 3
    rel=$(release "$dir")
    from=$dir/lib/modules/$rel
    to=$root/lib/modules/$rel
    files=$(module_files "$dir" "$@") || return 1
    mkdir -p "$to"
    cp "$from"/modules.order "$from"/modules.builtin "$from"/modules.builtin.modinfo "$to"
    for file in $files; do
        mkdir -p "$to/${file%/*}"
        case $kind in
        shipped) cp "$from/$file" "$to/$file" ;;
        *)
            case $file in
            *.xz) xz -dc "$from/$file" ;;
            *) cat "$from/$file" ;;
            esac >"$to/${file%.xz}"
            ;;
        esac
    done
    case $kind in
    xz) find "$to" -name '*.ko' -exec xz --check=crc32 --lzma2=dict=1MiB {} + ;;
    xz-crc64) find "$to" -name '*.ko' -exec xz --check=crc64 {} + ;;
    zst) find "$to" -name '*.ko' -exec zstd -q --rm {} + ;;
    gz) find "$to" -name '*.ko' -exec gzip {} + ;;
    esac
    need_nanomod
    "$NANOMOD" depmod -b "$root" "$rel"
}

# install_built DIR ROOT MODULE... puts modules of tests/modules where install_modules,
# called behind it, will index them.
install_built() {
    local root=$2 to module built
    to=$2/lib/modules/$(release "$1")/extra
    built=$(test_modules "$1") || return 1
    shift 2
    mkdir -p "$to"
    for module in "$@"; do
        cp "$built/$module.ko" "$to" || return 1
    done
}

# install_tools ROOT NAME... compiles programs of tests/guests/tools into ROOT/bin.
install_tools() {
    local root=$1 name
    shift
    for name in "$@"; do
        # musl has no headers of the kernel's.
        musl-gcc -static -Os -Wall -Wextra -idirafter /usr/include \
            -idirafter "/usr/include/$(uname -m)-linux-gnu" \
            -o "$root/bin/$name" "$top/tests/guests/tools/$name.c" || return 1
    done
}

# Sets NANOMOD to what scripts/build makes, unless it is set.
need_nanomod() {
    [ -n "${NANOMOD:-}" ] || NANOMOD=$("$top/scripts/build" | tail -n 1)
}

# install_loader ROOT APPLET... puts the loader under test into ROOT/sbin: $NANOMOD,
# or what scripts/build makes, or with LOADER=kmod Debian's kmod and its libraries.
loader=${LOADER:-nanomod}
install_loader() {
    local root=$1 binary library applet
    shift
    case $loader in
    nanomod) need_nanomod && binary=$NANOMOD ;;
    kmod)
        binary=$(command -v kmod)
        for library in $(ldd "$binary" | grep -o '/[^ ]*'); do
            mkdir -p "$root${library%/*}"
            cp "$library" "$root$library"
        done
        ;;
    *) die "no such loader: $loader" ;;
    esac
    mkdir -p "$root/sbin"
    cp "$binary" "$root/sbin/$loader" || return 1
    for applet in "$@"; do
        ln -s "$loader" "$root/sbin/$applet"
    done
}

pack() {
    (cd "$1" && find . -print0 | LC_ALL=C sort -z | cpio -o0 -H newc --quiet -R 0:0) >"$2"
}

# boot KERNEL DIR INITRAMFS SECONDS COMMAND_LINE [QEMU_OPTION...] prints the
# console; what the guest says there is its only result.
boot() {
    local kernel=$1 dir=$2 initramfs=$3 seconds=$4 cmdline=$5
    shift 5
    # Machine-readable: no kernel messages between the lines, and a panic ends it.
    cmdline="quiet loglevel=1 panic=-1 $cmdline"
    if [ "$kernel" = uml ]; then
        # shellcheck disable=SC2086 # a kernel command line is words
        timeout -k 5 "$seconds" "$dir/kernel" mem=512M initrd="$initramfs" \
            con=null con0=fd:0,fd:1 $cmdline </dev/null
    else
        # KVM is not to be relied on where this runs inside a virtual machine.
        timeout -k 5 "$seconds" qemu-system-x86_64 -accel tcg -m 512 -nographic \
            -no-reboot -nic none -kernel "$dir/kernel" -initrd "$initramfs" \
            -append "console=ttyS0 $cmdline" "$@" </dev/null
    fi 2>&1 | LC_ALL=C sed -u 's/\r//g; s/\x1b\(c\|\[[0-9;?=]*[a-zA-Z]\)//g
        s/^Booting from ROM\.*\([^.]\)/\1/; /^Booting from ROM\.*$/d
        /^Warning: tempdir/d; /^SeaBIOS/d'
}

# make_disk FILE INIT makes an ext4 disk with a root of busybox and that init.
make_disk() {
    local root
    root=$(mktemp -d)
    mkdir -p "$root"/{bin,sbin,dev,proc,run,sys}
    cp /bin/busybox "$root/bin/busybox"
    ln -s busybox "$root/bin/sh"
    install -m 755 "$2" "$root/sbin/init"
    truncate -s 32M "$1"
    mkfs.ext4 -q -d "$root" "$1"
    rm -rf "$root"
}

# boot_with_disk KERNEL DIR INITRAMFS SECONDS COMMAND_LINE DISK [QEMU_OPTION...]: as boot,
# with the disk as /dev/sda behind a virtio-scsi controller.
boot_with_disk() {
    # -cpu max: the kernel's checksum modules want instructions that QEMU's default
    # processor lacks.
    boot "${@:1:5}" -cpu max -drive "file=$6,format=raw,if=none,id=disk" \
        -device virtio-scsi-pci -device scsi-hd,drive=disk "${@:7}"
}

# Whether a console shows that the disk's init ran.
reached_root() {
    grep -q "^The root's own init runs on /dev/sda, ext4," "$1"
}
