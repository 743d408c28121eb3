# -vv names the way that the kernel took a module: a plain file as it is, a
# compressed one too where the kernel takes that kind, all else through a memfd.
# Where the kernel gives up on a file (xz with CRC64), decompressing here goes on.
# kernels: uml 6.1 6.12 6.1-arm64 6.1-armmp
# tree plain: minix
# tree xz: minix
# tree xz-crc64: minix
# tree zst: minix
# tree gz: minix
# loader: nanomod

ours='memfd, finit_module'
theirs='finit_module \(kernel decompresses\)'
fallback="could not decompress.*$ours"
case $REL in
6.1.*) theirs=$ours fallback=$ours ;;
esac

rung() {
    expect 0 "$1" modprobe -vv -d "/trees/$1" minix
    check "$1: $2, $3" says "inserted 'minix' from .*: $2,.* $3\$"
    unload minix
    expect 0 "insmod $1" insmod -vv "$(file "/trees/$1" minix)"
    check "insmod $1: $2, $3" says "inserted 'minix' from .*: $2,.* $3\$"
    unload minix
}

# With a denial nanomod has to see what is in the file, so the kernel is not left to find out;
# the line that this kernel was started with may have some.
: >empty
mount --bind empty /proc/cmdline
rung plain plain finit_module
! has gzip || rung gz gzip "$ours"
! has zstd || rung zst zstd "$ours"
if has xz; then
    rung xz xz "$theirs"
    rung xz-crc64 xz "$fallback"
fi

if has xz; then
    config "deny nbd"
    expect 0 "with a denial" modprobe -vv -d /trees/xz minix
    check "it is read here" says "inserted 'minix' from .*: xz, $ours\$"
    unload minix
fi
umount /proc/cmdline
