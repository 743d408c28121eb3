# deny covers what blacklist does not: names, dependencies, paths, and what the
# kernel asks for.
# kernels: uml 6.12 6.1-armmp
# modules: vfat minix hfs hfsplus ufs
# cmdline: modprobe.deny=hfs*,ufs
# loader: nanomod

config "deny fat"
expect 1 "a dependency that is denied" modprobe vfat
check "says by whom" says "could not insert 'vfat': denied by /etc/modprobe.d/test.conf line 1 \(dependency 'fat'\)"
check "nothing is inserted" absent vfat fat
expect 1 "by its path" modprobe "$(file / fat)"
cp "$(file / fat)" other.ko
expect 1 "under another name" modprobe ./other.ko
check "is known by what it says of itself" says \
    "could not insert 'fat': denied by|other.ko: .* data, which this nanomod was built without"
check "nothing is inserted" absent fat
expect 1 "by the kernel command line" modprobe hfs
check "says so" says "denied by the kernel command line"
expect 1 "-q" modprobe -q hfsplus
check "is silent" silent
mount -t ufs -o ro none /mnt 2>err
check "the kernel asks in vain" absent ufs
config "softdep minix pre: ufs"
expect 0 "a soft dependency that is denied" modprobe minix
check "is left out" absent ufs
check "the module is there" loaded minix
