# coldplug's exit status says what went wrong: 0 nothing that was waited for, 1 a name, 2 a
# path, 3 the lock, 64 the command line; of several the highest.
# kernels: uml 6.1 6.12 6.1-arm64 6.1-armmp
# modules: minix mac-roman mtdoops
# tools: unload-all
# loader: nanomod

lock=/proc/sys/kernel/modules_disabled
echo 0 >zero
# unlockable: the kernel can't be locked until it is
unlockable() { mount --bind zero $lock && mount -o remount,bind,ro $lock; }

expect 0 "all is there" coldplug --wait-for /dev/null minix
check "silently" silent_or_left
# Its init fails for want of a parameter.
expect 1 "a name that fails" coldplug mtdoops mac-roman
check "says so" says "could not insert 'mtdoops'"
check "the other is there" loaded mac_roman
expect 1 "a name that nobody knows" coldplug nosuch
check "says so" says "nosuch not found"
unload-all >still

echo mtdoops >/etc/modules-load.d/test.conf
expect 0 "one of modules-load.d that fails" coldplug minix
check "is told" says "could not insert 'mtdoops'"
check "the other is there" loaded minix
mv /etc/modules-load.d/test.conf /etc/modules
expect 0 "one of /etc/modules" coldplug
check "is told" says "could not insert 'mtdoops'"
rm /etc/modules
echo "$(cat /proc/cmdline) modules_load=mtdoops" >cmdline
mount --bind cmdline /proc/cmdline
expect 0 "one of the kernel command line" coldplug
check "is told" says "could not insert 'mtdoops'"
expect 1 "one that is named as well" coldplug mtdoops
check "is told" says "could not insert 'mtdoops'"
umount /proc/cmdline

expect 2 "a path that does not come" coldplug --timeout 1 --wait-for /dev/nothing
check "says so" says "/dev/nothing did not come"
expect 2 "and a name that fails" coldplug --timeout 1 --wait-for /dev/nothing nosuch
check "says both" says "/dev/nothing did not come"
check "says both" says "nosuch not found"
expect 2 "one of two paths" coldplug --timeout 1 --wait-for /dev/null --wait-for /dev/nothing
check "says which" not says "/dev/null"

unlockable
expect 3 "a lock that does not take" coldplug --lock
check "says so" says "could not lock the kernel"
expect 3 "and a path and a name" coldplug --lock --timeout 1 --wait-for /dev/nothing nosuch
check "says all" says "could not lock the kernel"
check "says all" says "/dev/nothing did not come"
check "says all" says "nosuch not found"
umount $lock
check "the kernel is not locked" test "$(cat $lock)" = 0

unload-all >still
start
for wrong in "--wait-for sda1" "--wait-for ./sda1" "--timeout soon" "--settle=soon" "--nonsense" "-j many"; do
    # shellcheck disable=SC2086 # words
    expect 64 "$wrong" coldplug --timeout 20 $wrong minix
    check "says so" test -s err
    check "does nothing" absent minix
done
check "at once" within 15
expect 64 "a path in a line with others" coldplug --timeout 20 --wait-for /dev/null --wait-for sda1 minix
check "names it" says "sda1"
check "does nothing" absent minix
