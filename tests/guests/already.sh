# What is there already is a success, unless it had to be the first time.
# kernels: uml 6.1 6.12 6.1-arm64 6.1-armmp
# modules: minix

expect 0 "insert" modprobe minix
expect 0 "insert again" modprobe minix
check "is silent" silent
expect 1 "insert again, --first-time" modprobe --first-time minix
check "says so" says "^modprobe: ERROR: could not insert 'minix': Module already in kernel"
expect 1 "insmod again" insmod "$(file / minix)"
check "says so" says "^insmod: ERROR: could not insert module .*minix.ko.*: File exists"

builtin=$(sed -n '1s|.*/||; 1s|\.ko.*||p' "$MODULES/modules.builtin")
expect 0 "a builtin" modprobe "$builtin"
check "is silent" silent
expect 1 "a builtin, --first-time" modprobe --first-time "$builtin"
check "says so" says "^modprobe: ERROR: could not insert '.*': Module already in kernel"
expect 1 "remove a builtin" modprobe -r "$builtin"
check "says so" says "^modprobe: FATAL: Module .* is builtin\.$"
