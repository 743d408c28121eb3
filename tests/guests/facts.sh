# What modinfo says of a module and of a builtin, beside what the kernel itself knows.
# kernels: uml 6.1 6.12 6.1-arm64 6.1-armmp
# modules: minix
# needs: modinfo

modinfo() { /sbin/nanomod modinfo "$@"; }
builtin=$(sed -n '1s|.*/||; 1s|\.ko.*||p' "$MODULES/modules.builtin")
# A note's head is three words and its name, four more bytes.
hexadecimal() { od -An -v -t x1 "$1" | tr -d ' \n' | sed 's/.*03000000474e5500//' | cut -c 1-40; }
same() { [ "$(cat "$1")" = "$(cat "$2")" ]; }

modprobe minix
expect 0 "the build of a module" modinfo -F build-id minix
tr -d ':\n' <out | tr A-F a-f >build
if [ -e /sys/module/minix/notes/.note.gnu.build-id ]; then
    hexadecimal /sys/module/minix/notes/.note.gnu.build-id >kernel
    check "is what the kernel says" same build kernel
fi
expect 0 "the build of a builtin" modinfo -F build-id "$builtin"
tr -d ':\n' <out | tr A-F a-f >build
hexadecimal /sys/kernel/notes >kernel
check "is the kernel's" same build kernel
