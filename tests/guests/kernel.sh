# The kernel calls modprobe itself, with stdin, stdout and stderr closed, in a root
# that has no /dev/null: mounting a FAT image needs vfat, fat and a code page.
# kernels: uml 6.1 6.12 6.1-arm64 6.1-armmp
# modules: loop vfat nls_cp437 nls_iso8859-1 nls_ascii nls_utf8

expect 0 "a loop device" modprobe loop
mknod loop0 b 7 0
dd if=/dev/zero of=image bs=1k count=512 2>/dev/null
mkdosfs image >/dev/null
expect 0 "an image in it" losetup loop0 image
mkdir point
check "its driver is absent" absent vfat fat

# No redirection from here on: nothing is left in /dev to open.
without_dev
remains=$(ls /dev)
mount -t vfat -o codepage=437,iocharset=iso8859-1 loop0 point
mounted=$?
with_dev

check "nothing was in /dev" test -z "$remains"
check "it is mounted" test $mounted = 0
check "the kernel had it loaded" loaded vfat fat
check "its code page and character set too" loaded nls_cp437 nls_iso8859_1
umount point
losetup -d loop0

# The kernel takes a failure for what it is, and its log is left alone.
mount -t nosuchfs none point 2>err
check "an unknown file system is refused" says 'No such device'
check "without a word in the kernel's log" not sh -c 'dmesg | grep -q nosuchfs'
