# The kernel refuses: the status is 1, and the message has the kernel's own reason,
# which it only gives to its log.
# kernels: uml 6.1 6.12 6.1-arm64 6.1-armmp
# modules: overlay vfat mtdoops
# loader: nanomod

expect 1 "a bad value" modprobe overlay index=bad
check "says so as kmod does" says "^modprobe: ERROR: could not insert 'overlay': Invalid argument"
check "names the parameter, which only the kernel knows" says "invalid for parameter .index"
check "nothing is loaded" absent overlay
expect 1 "insmod, a bad value" insmod "$(file / overlay)" index=bad
check "names the parameter" says "invalid for parameter .index"
expect 0 "an unknown parameter is no error" modprobe overlay nosuch=1

expect 1 "a module whose init fails" modprobe mtdoops
check "says what the module said" says 'mtddev=name/number'
expect 1 "a missing dependency" insmod "$(file / vfat)"
check "names the symbol" says "Unknown symbol fat_"
expect 1 "-q" modprobe -q overlay2
check "is silent" silent
