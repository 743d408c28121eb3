# insmod's parameters: a value with spaces stays one value, as in modprobe.
# kernels: uml 6.1 6.12 6.1-arm64 6.1-armmp
# modules: mtdoops
# loader: nanomod

# Some kernels have it built in.
mtd=$(file / mtd)
[ -z "$mtd" ] || expect 0 "the dependency by its path" insmod "$mtd"
expect 0 "two parameters" insmod "$(file / mtdoops)" "mtddev=three small words" record_size=8192
check "spaces are kept" parameter mtdoops mtddev "three small words"
check "the next arrives too" parameter mtdoops record_size 8192
unload mtdoops
expect 0 "a quoted value" insmod "$(file / mtdoops)" 'mtddev="two words"' record_size=8192
check "is not quoted twice" parameter mtdoops mtddev "two words"
