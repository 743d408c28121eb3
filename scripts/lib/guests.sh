# shellcheck shell=bash disable=SC2154
# An initramfs of a few of a kernel's modules, and a boot of it. Sourced after
# setup.sh, kernels.sh and foreign.sh; install_built wants modules.sh, too. DIR is always
# what `kernel` printed, ROOT the folder that becomes the initramfs, KERNEL its name.

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

# install_tools KERNEL ROOT NAME... compiles programs of tests/guests/tools into ROOT/bin.
install_tools() {
    local arch root=$2 name cc=musl-gcc from headers
    arch=$(kernel_arch "$1")
    shift 2
    [ $# -gt 0 ] || return 0
    # musl has no headers of the kernel's.
    if [ "$arch" = amd64 ]; then
        need gcc libc6-dev musl-tools:musl-gcc
        headers=(/usr/include "/usr/include/$(uname -m)-linux-gnu")
    else
        cc=$work/musl-gcc
        cross_musl "$arch" "$work"
        from=$(unpacked "$arch" --alone linux-libc-dev)/usr/include
        headers=("$from" "$from/$gnu")
    fi
    for name in "$@"; do
        "$cc" -static -Os -Wall -Wextra "${headers[@]/#/-idirafter}" \
            -o "$root/bin/$name" "$top/tests/guests/tools/$name.c" || return 1
    done
}

# install_busybox KERNEL ROOT puts the machine's busybox into ROOT/bin.
install_busybox() {
    local arch from=
    arch=$(kernel_arch "$1")
    if [ "$arch" = amd64 ]; then
        need busybox-static
    else
        from=$(unpacked "$arch" --alone busybox-static)
    fi
    mkdir -p "$2/bin"
    cp "$from/bin/busybox" "$2/bin/busybox"
}

# Sets NANOMOD to what scripts/build makes, unless it is set.
need_nanomod() {
    [ -n "${NANOMOD:-}" ] || NANOMOD=$("$top/scripts/build" | tail -n 1)
}

# install_loader ROOT APPLET... puts the loader under test into ROOT/sbin: $under_test,
# or where that isn't set $NANOMOD, or what scripts/build makes, or with LOADER=kmod
# Debian's kmod and its libraries.
loader=${LOADER:-nanomod}
install_loader() {
    local root=$1 binary=${under_test:-} library applet
    shift
    case $loader in
    nanomod) [ -n "$binary" ] || { need_nanomod && binary=$NANOMOD; } ;;
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

# Prints the path of a qemu-system-arm that goes on rightly behind a page fault in the middle
# of LDRD into the register that has the address: before 10.0 the address is gone by then, and
# any program that was built for Thumb-2 may die of it, as of a page that fork left.
arm_emulator() {
    local version dir
    version=$(qemu-system-arm --version | sed -n 's/.* version \([0-9]*\)\..*/\1/p')
    if [ "${version:-0}" -ge 10 ]; then
        command -v qemu-system-arm
    else
        dir=$(suite=bookworm-backports unpacked amd64 --alone qemu-system-arm qemu-system-data) ||
            return
        echo "$dir/usr/bin/qemu-system-arm"
    fi
}

# Sets qemu to what starts a machine for KERNEL, up to what it is to boot, and console to
# the name of its serial line there; qemu is empty where the kernel is a program.
qemu_for() {
    case $1 in
    uml) qemu=() console= ;;
    *-arm64) qemu=(qemu-system-aarch64 -M virt -cpu cortex-a57) console=ttyAMA0 ;;
    *-armmp) qemu=("$(arm_emulator)" -M virt -cpu cortex-a15) console=ttyAMA0 ;;
    *) qemu=(qemu-system-x86_64) console=ttyS0 ;;
    esac
}

need_qemu() {
    case $1 in
    uml) ;;
    *-arm*) need qemu-system-arm ;;
    *) need qemu-system-x86:qemu-system-x86_64 ;;
    esac
}

# Prints the path of the library with which User-mode Linux runs on processors with more state
# than it knows of.
large_state() {
    local library=$cache/xstate.so source=$top/scripts/lib/xstate.c
    if [ ! "$library" -nt "$source" ]; then
        need gcc libc6-dev
        gcc -shared -fPIC -O2 -o "$library.$BASHPID" "$source" -ldl || return
        mv "$library.$BASHPID" "$library"
    fi
    echo "$library"
}

# boot KERNEL DIR INITRAMFS SECONDS COMMAND_LINE [QEMU_OPTION...] prints the
# console; what the guest says there is its only result. $MEMORY: its MiB.
boot() {
    local kernel=$1 dir=$2 initramfs=$3 seconds=$4 cmdline=$5 qemu console
    local memory=${MEMORY:-512}
    shift 5
    # Machine-readable: no kernel messages between the lines, and a panic ends it.
    cmdline="quiet loglevel=1 panic=-1 $cmdline"
    qemu_for "$kernel"
    if [ "$kernel" = uml ]; then
        # Not where chance would have it: its table of pages reaches from its program's end
        # to wherever the heap is, and takes up to a third of 32 MiB.
        local preload=
        if grep -qw amx_tile /proc/cpuinfo; then
            preload=$(large_state) || return
        fi
        # shellcheck disable=SC2086 # a kernel command line is words
        timeout -k 5 "$seconds" env ${preload:+"LD_PRELOAD=$preload"} setarch -R "$dir/kernel" mem="${memory}M" ${initramfs:+"initrd=$initramfs"} \
            con=null con0=fd:0,fd:1 $cmdline </dev/null
    else
        # KVM is not to be relied on where this runs inside a virtual machine.
        timeout -k 5 "$seconds" "${qemu[@]}" -accel tcg -m "$memory" -nographic \
            -no-reboot -nic none -kernel "$dir/kernel" -initrd "$initramfs" \
            -append "console=$console $cmdline" "$@" </dev/null
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
