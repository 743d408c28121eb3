# A blacklist hides a module from aliases, and from its own name with -b; whoever
# asks for it by name gets it.
# kernels: uml 6.1 6.12 6.1-arm64 6.1-armmp
# modules: minix brd vfat
# cmdline: modprobe.blacklist=brd

config "blacklist minix" "alias fancy minix" "alias fs-mixed vfat" "alias fs-mixed minix"
expect 0 "an alias of the module's own" modprobe fs-minix
check "is silent" silent
check "and loads nothing" absent minix
expect 0 "an alias of modprobe.d" modprobe fancy
check "is silent" silent
check "and loads nothing" absent minix
expect 0 "an alias of two" modprobe fs-mixed
check "loads the other" loaded vfat
check "and only that" absent minix
expect 0 "-b with the name" modprobe -b minix
check "is silent" silent
check "and loads nothing" absent minix
expect 0 "the plain name" modprobe minix
check "loads" loaded minix

expect 0 "modprobe.blacklist= on the kernel command line" modprobe block-major-1-0
check "is silent" silent
check "and loads nothing" absent brd
expect 0 "-b with that name" modprobe -b brd
check "loads nothing" absent brd
expect 0 "that plain name" modprobe brd
check "loads" loaded brd
