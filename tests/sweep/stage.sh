#!/bin/bash
# stage.sh NANOMOD DIRECTORY
#
# Builds what the sweep's situations run in, below DIRECTORY:
#
#   root     a machine: modules of all kinds of file, indexes, configuration, /proc and /sys
#   bare     the same without /proc/modules, and with a kernel that decompresses xz
#   open     the same as root, and nothing is denied
#   locked   the same as root, whose kernel can be told to take no more modules
#   plain    each module as it is once decompressed
#   old      what is in the way of files that are made
#
# Its modules are assembled here, as small as they can be for what is looked at in them.
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
. "$(dirname "$0")/../../scripts/lib/setup.sh"
[ $# = 2 ] || die "usage: stage.sh NANOMOD DIRECTORY"
nanomod=$1 top=$2
release=$(uname -r)
root=$top/root
below=lib/modules/$release

# module NAME WORD...: assembles it. A word is KEY=VALUE of .modinfo, +SYMBOL that it exports,
# -SYMBOL that it needs, or a number, of 8 bytes of content that hardly get smaller.
module() {
    local name=$1 word
    shift
    {
        echo ".section .modinfo,\"a\""
        # The kernel's own order is not always this one: the name does not come first.
        for word in license=GPL "$@" "name=$name" "vermagic=$release SMP mod_unload "; do
            [[ $word != *=* ]] || echo ".asciz \"$word\""
        done
        # struct module: state, list, name.
        echo ".section .gnu.linkonce.this_module,\"aw\""
        echo ".fill 24; .asciz \"$name\"; .fill $((1000 - ${#name} - 25))"
        for word in "$@"; do
            case $word in
            *=*) ;;
            +*)
                echo ".section __ksymtab_strings,\"aMS\",@progbits,1; .asciz \"${word#+}\""
                echo ".globl __crc_${word#+}; .set __crc_${word#+}, ${#name}"
                ;;
            -*) echo ".data; .quad ${word#-}" ;;
            *) echo ".section .text; .set i, 1; .rept $word; .quad i * i * i * 0x9e3779b97f4a7c15; .set i, i + 1; .endr" ;;
            esac
        done
    } >"$top/module.s"
    as -o "$top/plain/$name.ko" "$top/module.s"
}

# device PATH MODALIAS [DRIVER]
device() {
    local directory=$root/sys/devices/$1
    mkdir -p "$directory"
    echo "$2" >"$directory/modalias"
    printf 'MODALIAS=%s\n%s' "$2" "${3:+DRIVER=$3
}" >"$directory/uevent"
    ln -s /sys/bus/pci "$directory/subsystem"
    [ -z "${3:-}" ] || ln -s "/sys/bus/pci/drivers/$3" "$directory/driver"
}

# loaded NAME SIZE COUNT HOLDERS: the kernel has it
loaded() {
    local directory=$root/sys/module/$1 holder
    mkdir -p "$directory/holders"
    echo "$1 $2 $3 ${4:--} Live 0x0" >>"$root/proc/modules"
    echo live >"$directory/initstate"
    echo "$2" >"$directory/coresize"
    echo 0 >"$directory/initsize"
    echo "$3" >"$directory/refcnt"
    for holder in ${4:+${4//,/ }}; do
        ln -s "../../$holder" "$directory/holders/$holder"
    done
}

mkdir -p "$top/plain" "$top/old" "$root"/{bin,sbin,etc/modprobe.d,etc/modules-load.d,etc/depmod.d,proc/sys/kernel,tmp,dev}
mkdir -p "$root/work/out" "$root/lib/firmware" "$root/sys/module" "$root/sys/devices"
mkdir -p "$root/usr/lib/modprobe.d" "$root/$below/kernel/"{fs,net,drivers}

# --- modules

module fat 3000 +fat_fill +fat_search
module vfat 1200 -fat_fill -fat_search
module nls_utf8 100
module minix 700 parm=debug:how\ much parmtype=debug:int
module bottom 500 +bottom_of
module middle 500 -bottom_of +middle_of
module top 500 -middle_of
module virtio 300 +virtio_bus
module virtio_pci 300 -virtio_bus 'alias=pci:v00001AF4d*sv*sd*bc*sc*i*'
module virtio_net 900 -virtio_bus 'alias=virtio:d00000001v*' 'alias=pci:v00001AF4d00001000sv*sd*bc02sc*i*'
module nic 1500 'alias=pci:v00008086d*sv*sd*bc02sc00i*' firmware=nic/first.bin firmware=nic/second.bin
module nbd 300 'alias=pci:v0000DEADd*sv*sd*bc*sc*i*' +nbd_of
module over_nbd 300 -nbd_of
module pcspkr 100 alias=platform:pcspkr
module loop 100 alias=devname:loop-control alias=char-major-10-237
module tun 100 alias=devname:net/tun alias=char-major-10-200
module soft 100 softdep=pre:\ nls_utf8\ post:\ minix
module command 100
module helper 100
module lower 50 +lower_of
module upper 50 -lower_of
module alone 50
module used 50
for name in lower upper alone used fat vfat bottom middle top pcspkr command helper soft nbd over_nbd nls_utf8; do
    cp "$top/plain/$name.ko" "$root/$below/kernel/fs"
done
for name in virtio virtio_pci; do
    xz --check=crc32 -c "$top/plain/$name.ko" >"$root/$below/kernel/drivers/$name.ko.xz"
done
for name in virtio_net minix; do
    zstd -q -c "$top/plain/$name.ko" >"$root/$below/kernel/drivers/$name.ko.zst"
done
for name in nic loop; do
    gzip -n -c "$top/plain/$name.ko" >"$root/$below/kernel/drivers/$name.ko.gz"
done
cp "$top/plain/tun.ko" "$root/$below/kernel/net"
(cd "$root/$below" && find kernel -type f | LC_ALL=C sort) | sed 's/\.\(xz\|zst\|gz\)$//' \
    >"$root/$below/modules.order"
echo kernel/drivers/built.ko >"$root/$below/modules.builtin"
printf 'built.alias=pci:v0000BEEFd*\0built.description=Built in\0built.parm=x:an x\0built.file=drivers/built\0' \
    >"$root/$below/modules.builtin.modinfo"
cp "$nanomod" "$root/sbin/nanomod"
for name in modprobe insmod rmmod lsmod modinfo depmod; do
    ln -s nanomod "$root/sbin/$name"
done
"$root/sbin/depmod" -b "$root" "$release"
echo 'nic firmware' >"$root/lib/firmware/readme"
mkdir "$root/lib/firmware/nic"
echo first >"$root/lib/firmware/nic/first.bin"

# --- configuration

cat >"$root/etc/modprobe.d/local.conf" <<'END'
options minix debug=1
options virtio_net napi=on
alias cdrom minix
blacklist pcspkr
END
echo 'deny nbd' >"$root/etc/modprobe.d/deny.conf"
cat >"$root/usr/lib/modprobe.d/vendor.conf" <<'END'
install command /sbin/modprobe -i command && /sbin/modprobe helper
remove command /sbin/modprobe -r -i command
softdep top post: nls_utf8
END
printf 'minix\n# a comment\nvfat\n' >"$root/etc/modules-load.d/first.conf"
echo 'loop max=3' >"$root/etc/modules-load.d/second.conf"
echo 'tun' >"$root/etc/modules"
echo 'search updates built-in' >"$root/etc/depmod.d/order.conf"

# --- the machine

ln -s /bin/busybox "$root/bin/sh"
cp "$(command -v busybox)" "$root/bin/busybox"
echo 'quiet minix.level=2 modules_load=nls_utf8' >"$root/proc/cmdline"
echo 'Linux version' >"$root/proc/version"
: >"$root/proc/modules"
loaded upper 8192 0
loaded lower 16384 1 upper
loaded alone 4096 0
loaded used 4096 3
loaded tun 4096 0
# What the kernel says of modules once they are in; a trace has it.
for name in fat vfat virtio virtio_pci minix; do
    mkdir "$root/sys/module/$name"
    echo 12345 >"$root/sys/module/$name/coresize"
    echo 0 >"$root/sys/module/$name/initsize"
done
device pci0000:00/0000:00:01.0 pci:v00001AF4d00001000sv00001AF4sd00000001bc02sc00i00
device pci0000:00/0000:00:01.0/virtio0 virtio:d00000001v00001AF4
device pci0000:00/0000:00:02.0 pci:v00008086d0000100Esv00001AF4sd00001100bc02sc00i00
device pci0000:00/0000:00:03.0 pci:v0000DEADd00000001sv00000000sd00000000bc01sc00i00
device pci0000:00/0000:00:04.0 pci:v0000CAFEd00000001sv00000000sd00000000bc01sc00i00
device pci0000:00/0000:00:05.0 pci:v0000BEEFd00000001sv00000000sd00000000bc01sc00i00 built
device platform/pcspkr platform:pcspkr
mkdir -p "$root/sys/kernel/debug"
printf '0000:00:04.0\twaiting for a clock\n' >"$root/sys/kernel/debug/devices_deferred"
# What depmod is given: a tree without indexes.
mkdir -p "$root/work/tree/$below"
cp -r "$root/$below/kernel" "$root/$below/modules.order" "$root/$below/modules.builtin" \
    "$root/$below/modules.builtin.modinfo" "$root/work/tree/$below"

# What the readers of traces are given.
cat >"$root/work/trace" <<'END'
{"traceEvents": [
{"ph": "M", "name": "process_name", "pid": 1, "tid": 0, "args": {"name": "nanomod modprobe"}},
{"ph": "M", "name": "thread_name", "pid": 1, "tid": 1, "args": {"name": "worker 1"}},
{"ph": "X", "name": "fat", "cat": "read", "pid": 1, "tid": 1, "ts": 100, "dur": 50},
{"ph": "X", "name": "fat", "cat": "kernel", "pid": 1, "tid": 1, "ts": 150, "dur": 900, "args": {"ready": 90, "needs": [], "path": "/fat.ko", "result": "inserted", "how": "finit_module", "file": 30000, "image": 30000, "core": 8192, "init": 4096, "wasted": 100}},
{"ph": "X", "name": "vfat", "cat": "kernel", "pid": 1, "tid": 1, "ts": 1100, "dur": 400, "args": {"ready": 1060, "needs": ["fat"], "path": "/vfat.ko", "result": "Operation not permitted", "how": "", "file": 9000, "image": 9000, "core": 0, "init": 0, "wasted": 0}},
{"ph": "s", "name": "vfat", "cat": "needs", "pid": 1, "tid": 1, "ts": 1049, "id": 1},
{"ph": "f", "name": "vfat", "cat": "needs", "pid": 1, "tid": 1, "ts": 1100, "id": 1, "bp": "e"}
],
"displayTimeUnit": "ms",
"otherData": {"program": "nanomod 0", "command": "modprobe", "release": "6", "jobs": 1, "total": 1600}}
END

# --- its variants

# Old indexes, a file where another goes, and the switch that locks the kernel.
mkdir -p "$top/old/$below"
for list in dep dep.bin alias alias.bin symbols symbols.bin softdep devname builtin.bin builtin.alias.bin; do
    echo old >"$top/old/$below/modules.$list"
done
echo old >"$top/old/file"
: >"$top/old/nanomod"
echo 0 >"$top/old/modules_disabled"
ln -s /work/out/modules_disabled "$root/proc/sys/kernel/modules_disabled"
cp -a "$root" "$top/bare"
rm "$top/bare/proc/modules" "$top/bare/proc/version"
echo xz >"$top/bare/sys/module/compression"
cp -a "$root" "$top/open"
rm "$top/open/etc/modprobe.d/deny.conf"
