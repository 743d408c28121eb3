# What scripts match when a module or a file is not there.
# kernels: uml 6.1 6.12 6.1-arm64 6.1-armmp
# modules: minix
# tree plain: vfat

expect 1 "a missing module" modprobe nosuch
check "says so as kmod does" says_text "modprobe: FATAL: Module nosuch not found in directory $MODULES"
expect 1 "-q" modprobe -q nosuch
check "is silent" silent
expect 1 "-a with one of two missing" modprobe -a nosuch minix
check "warns" says_text "modprobe: WARNING: Module nosuch not found in directory $MODULES"
check "the other is loaded" loaded minix
expect 1 "a missing path" modprobe ./nosuch.ko
check "says so" says '^modprobe: .*nosuch\.ko.*(No such file|not found)'
expect 1 "insmod of a missing path" insmod ./nosuch.ko
check "says so" says '^insmod: .*nosuch\.ko.*No such file or directory'
expect 1 "nothing asked for" modprobe
check "says so" test -s err

# In the index, but not in the tree.
spoil plain
rm "$(file "$tree" vfat)"
expect 1 "a file that is gone" modprobe -d "$tree" vfat
check "says so" says vfat
