# Removal of what others use: the holders first with --remove-holders, and with -w
# a wait for what is in use for a moment.
# kernels: uml 6.1 6.12 6.1-arm64 6.1-armmp
# modules: 8021q vfat loop nls_cp437 nls_iso8859-1
# loader: nanomod

expect 0 "a tree" modprobe 8021q
expect 1 "its root is in use" modprobe -r llc
expect 0 "what would go" modprobe -n -r --remove-holders llc
check "holders first" test "$(head -n 1 out)" = "rmmod 8021q"
check "all of them" test "$(sort out | tr '\n' ' ')" = "rmmod 8021q rmmod garp rmmod llc rmmod mrp rmmod stp "
check "nothing has gone" loaded 8021q garp mrp stp llc
expect 0 "--remove-holders" modprobe --remove-holders llc
check "all have gone" absent 8021q garp mrp stp llc

expect 0 "two that share a dependency" modprobe -a 8021q vfat
expect 0 "removed together" modprobe -r 8021q vfat garp fat
check "with all they needed" absent 8021q garp mrp stp llc vfat fat

modprobe -a loop vfat nls_cp437 nls_iso8859-1
[ -e loop0 ] || mknod loop0 b 7 0
dd if=/dev/zero of=image bs=1k count=512 2>/dev/null
mkdosfs image >/dev/null
losetup loop0 image
mkdir -p point
mount -t vfat -o codepage=437,iocharset=iso8859-1 loop0 point
expect 1 "in use" modprobe -r vfat
expect 1 "in use for longer than -w" modprobe -r -w 50 vfat
check "says so" says "^modprobe: ERROR: could not remove 'vfat': Resource temporarily unavailable"
(sleep 1 && umount point) &
expect 0 "in use for a second, -w 10000" modprobe -r -w 10000 vfat
check "it is gone, and what it needed" absent vfat fat
wait
losetup -d loop0
