# coldplug: what the lists and names want, under modprobe.d's rules, and what it says of
# what it could not have.
# kernels: uml 6.1 6.12 6.1-arm64 6.1-armmp
# modules: minix mac-roman nls_cp437 nls_cp737 overlay mtdoops
# tools: unload-all
# loader: nanomod

clean() {
    rm -rf /etc/modprobe.d/* /etc/modules-load.d/* /etc/modules
    unload-all >still || echo "    can't be removed: $(xargs <still)"
}
list() {
    printf '%s\n' "$@" >/etc/modules-load.d/test.conf
}

list "# a comment" "; another" "" "  minix  " "overlay index=1"
echo mac-roman >/etc/modules
echo "$(cat /proc/cmdline) modules_load=nls_cp437,nls_cp737" >cmdline
mount --bind cmdline /proc/cmdline
expect 0 "what three lists name" coldplug
check "is silent" silent
check "they are there" loaded minix overlay mac_roman nls_cp437 nls_cp737
check "with parameters" parameter overlay index Y
expect 0 "once more" coldplug -v
check "nothing is left to do" says "0 modules inserted"
umount /proc/cmdline
clean

list minix
expect 0 "-n" coldplug -n mac-roman
check "shows what is named" prints "^insmod .*/mac-roman.ko"
check "and listed" prints "^insmod .*/minix.ko"
if has json; then
    expect 0 "-n --json" coldplug -n --json mac-roman
    check "is JSON" is_json out
fi
check "nothing is loaded" absent minix mac_roman
expect 0 "-v" coldplug -v mac-roman
check "shows what it does" prints "^insmod .*/minix.ko"
check "and how many" says "[0-9] modules inserted in [0-9]+[.][0-9] s"
if has json; then
    expect 0 "--json" coldplug --json nls_cp437
    check "is JSON" is_json out
    check "of what happened" prints '"inserted": *1\b'
fi
clean

expect 1 "a name that nobody knows" coldplug nosuch minix
check "says so" says "Module nosuch not found in directory"
check "loads the other" loaded minix
expect 1 "a module that fails" coldplug mtdoops mac-roman
check "in the kernel's own words" says "could not insert 'mtdoops': .*mtddev=name/number"
check "loads the other" loaded mac_roman
list mtdoops nls_cp437
expect 0 "one in a list" coldplug
check "says where" says "listed in /etc/modules-load.d/test.conf line 1"
check "loads the other" loaded nls_cp437
list nosuch nls_cp737
expect 0 "a list may be for other kernels" coldplug
check "and this is said" says "nosuch not found"
check "loads the other" loaded nls_cp737
clean
config "deny minix"
expect 1 "a denied name" coldplug minix mac-roman
check "says by whom" says "minix.*/etc/modprobe.d/test.conf"
check "loads the other alone" loaded mac_roman
check "loads the other alone" absent minix
config "blacklist nls_cp437"
expect 0 "a blacklisted name" coldplug nls_cp437 nls_cp737
check "is left out" absent nls_cp437
check "as the only one" loaded nls_cp737
clean

without_dev
coldplug minix <&- >&- 2>&-
status=$?
coldplug nosuch <&- >&- 2>&-
error=$?
with_dev
check "all closed and no /dev/null" test $status = 0
check "loaded" loaded minix
check "an error there" test $error = 1
mkdir root
mount --bind / root && mount -o remount,bind,ro root
mount -t proc proc root/proc && mount -t sysfs sysfs root/sys
check "a root that is read-only" not touch root/tmp/file 2>err
expect 0 "and has no /dev" chroot root /sbin/nanomod coldplug --settle=50 mac-roman
check "is silent" silent
check "loaded" loaded mac_roman
umount root/sys root/proc root
clean

# A quarter of a machine with 64 MiB, in kilobytes.
limited() { (ulimit -v 16384 && coldplug "$@"); }
expect 0 "with little memory" limited minix mac-roman overlay nls_cp437
check "is silent" silent
check "loaded" loaded minix mac_roman overlay nls_cp437
clean
