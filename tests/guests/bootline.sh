# What a boot loader writes on the kernel command line, with its quotes in both styles, is
# what was meant. The line is the one that this kernel was started with.
# kernels: uml 6.1 6.12 6.1-arm64 6.1-armmp
# modules: nls_cp775 nls_cp850 nls_cp852 nls_cp855 nls_cp857 nls_cp860 nls_cp861 nls_cp862
# modules: nls_cp863 nls_cp864 nls_cp865 nls_cp866 nls_cp869 nls_cp874
# cmdline: modprobe.deny="nls_cp775,nls_cp850" "modprobe.deny=nls_cp852,nls_cp855"
# cmdline: module_blacklist=nls_cp857 modprobe.blacklist="nls_cp860,nls_cp861"
# cmdline: "modprobe.blacklist=nls_cp862,nls_cp863"
# tools: unload-all
# loader: nanomod

check "the quotes are there" grep -q 'modprobe.deny="nls_cp775,nls_cp850".*"modprobe.deny=' /proc/cmdline
for module in nls_cp775 nls_cp850 nls_cp852 nls_cp855; do
    expect 1 "denied, $module" modprobe $module
    check "says by whom" says "could not insert '$module': denied by the kernel command line"
    check "it is not there" absent $module
done
expect 1 "denied for coldplug, too" coldplug nls_cp775 nls_cp852 nls_cp864
check "says by whom" says "denied by the kernel command line"
check "none of them is there" absent nls_cp775 nls_cp852
check "the other is" loaded nls_cp864

for module in nls_cp860 nls_cp861 nls_cp862 nls_cp863; do
    expect 0 "blacklisted, $module" modprobe -b $module
    check "is silent" silent
    check "it is not there" absent $module
done
expect 0 "blacklisted for coldplug" coldplug nls_cp860 nls_cp863 nls_cp865
check "is silent" silent
check "they are not there" absent nls_cp860 nls_cp863
check "the other is" loaded nls_cp865

expect 1 "the kernel's own list" modprobe nls_cp857
check "is named" says "could not insert 'nls_cp857'.*module_blacklist="
echo nls_cp857 >/etc/modules-load.d/test.conf
expect 0 "is known to coldplug" coldplug nls_cp857 nls_cp866
check "it is not there" absent nls_cp857
check "the other is" loaded nls_cp866
unload-all >still
rm /etc/modules-load.d/test.conf

# line WORDS: what the kernel command line has besides
line() {
    echo "$(cat /proc/cmdline) $*" >cmdline
    mount --bind cmdline /proc/cmdline
}
for words in 'modules_load="nls_cp869,nls_cp874"' '"modules_load=nls_cp869,nls_cp874"' \
    '"modules-load=nls_cp869" rd.modules_load="nls_cp874"'; do
    line "$words"
    expect 0 "$words" coldplug
    check "they are there" loaded nls_cp869 nls_cp874
    umount /proc/cmdline
    unload-all >still
done
line 'module_blacklist="nls_cp869,nls_cp874" quiet'
expect 0 "the kernel's list in quotes" coldplug nls_cp869 nls_cp874 nls_cp864
check "they are not there" absent nls_cp869 nls_cp874
check "the other is" loaded nls_cp864
umount /proc/cmdline
unload-all >still
# The kernel takes one that is not closed to its line's end.
line '"modprobe.deny=nls_cp869'
expect 1 "a quote that is not closed" modprobe nls_cp869
check "denies" absent nls_cp869
umount /proc/cmdline
