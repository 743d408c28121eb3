# A signed module with a flipped bit is refused even where unsigned ones are taken.
# kernels: 6.1 6.12 6.1-arm64 6.1-armmp
# tree plain: minix

spoil plain
module=$(file "$tree" minix)
middle=$(($(wc -c <"$module") / 2))
printf '\377\377' | dd of="$module" bs=1 seek=$middle conv=notrunc 2>/dev/null
expect 1 "a broken signature" modprobe -d "$tree" minix
check "says so" says "could not insert 'minix': Key was rejected by service"
check "nothing is loaded" absent minix
