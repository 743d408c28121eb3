# coldplug --lock: the kernel takes no more modules, and whether it does is told.
# kernels: uml 6.1 6.12 6.1-arm64 6.1-armmp
# modules: minix mac-roman nls_cp437
# loader: nanomod
# last: 2

lock=/proc/sys/kernel/modules_disabled
echo 0 >zero
mount --bind zero $lock && mount -o remount,bind,ro $lock
expect 3 "a lock that can't be had" coldplug --lock minix
check "says so" says "ERROR: could not lock the kernel"
check "after the work is done" loaded minix
umount $lock
check "the kernel is not locked" test "$(cat $lock)" = 0

expect 0 "--lock" coldplug --lock mac-roman
check "says so" prints "^locked:"
check "the kernel is locked" test "$(cat $lock)" = 1
check "after the work was done" loaded mac_roman
expect 1 "modprobe" modprobe nls_cp437
check "is refused" says "could not insert 'nls_cp437': Operation not permitted.*modules_disabled"
expect 1 "coldplug of a name" coldplug --lock nls_cp437
check "is refused" says "could not insert 'nls_cp437': Operation not permitted"
check "and locked all the same" prints "^locked:"
if has json; then
    expect 0 "coldplug of nothing" coldplug --lock --json
    check "is JSON" is_json out
fi
