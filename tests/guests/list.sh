# lsmod's columns and rmmod's words, which scripts parse.
# kernels: uml 6.1 6.12 6.1-arm64 6.1-armmp
# modules: 8021q minix

expect 0 "two trees of modules" modprobe -a 8021q minix
expect 0 "lsmod" lsmod
check "header" prints '^Module                  Size  Used by$'
check "a module without users" prints '^minix +[0-9]+  0$'
check "a module with one" prints '^garp +[0-9]+  1 8021q$'
check "a module with two" prints '^stp +[0-9]+  2 (garp,mrp|mrp,garp)$|^llc +[0-9]+  2 (garp,stp|stp,garp)$'
# Without the users, whose order nothing fixes.
sed -E '1d; s/( +[0-9]+  [0-9]+) .*/\1/' out >rows
awk '{ printf "%-19s %8s  %s\n", $1, $2, $3 }' /proc/modules >kernel
check "the kernel's modules, in its order, in columns" cmp -s rows kernel

expect 1 "rmmod of what is in use" rmmod llc
check "says by whom" says '^rmmod: ERROR: Module llc is in use by: .*(garp|stp)'
expect 1 "rmmod of what is not loaded" rmmod nosuch
check "says so" says '^rmmod: ERROR: Module nosuch is not currently loaded$'
expect 0 "rmmod" rmmod minix
check "is silent" silent
check "it is gone" absent minix
expect 0 "rmmod of two" rmmod 8021q garp
check "both are gone" absent 8021q garp
expect 0 "rmmod by its file" rmmod "$(file / mrp)"
check "it is gone" absent mrp
