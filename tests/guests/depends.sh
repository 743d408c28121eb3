# The main job: a module goes in after all that it needs, and comes out with it.
# kernels: uml 6.1 6.12 6.1-arm64 6.1-armmp
# modules: 8021q vfat

expect 0 "insert with dependencies" modprobe 8021q
check "all four dependencies are live" loaded 8021q garp mrp stp llc
check "nothing is printed" silent
expect 0 "a second module" modprobe vfat
check "both are there" loaded vfat fat 8021q

expect 1 "remove what is in use" modprobe -r llc
check "says so as kmod does" says '^modprobe: FATAL: Module llc is in use\.$'
check "it stays" loaded llc 8021q
expect 0 "remove" modprobe -r 8021q
# kmod walks modules.dep once and so leaves stp and llc, which mrp held.
check "the dependencies are freed" absent 8021q garp mrp
check "others are left alone" loaded vfat fat
expect 0 "remove what is not loaded" modprobe -r 8021q
expect 1 "remove what is not loaded, --first-time" modprobe -r --first-time 8021q
check "says so" says '^modprobe: FATAL: Module 8021q is not in kernel\.$'
expect 0 "remove the other" modprobe -r vfat
check "that one's dependency is freed" absent vfat fat
