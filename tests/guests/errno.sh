# Errors that mostly mean something else: the kernel's own words tell.
# kernels: 6.1 6.1-arm64 6.1-armmp
# built: lacks_clock wrong_revision

words="(kernel: lacks_clock: the device does not answer)"
expect 1 "a driver that does not find something" modprobe lacks_clock
check "is not said to lack a symbol" says_text \
    "modprobe: ERROR: could not insert 'lacks_clock': No such file or directory $words"
expect 1 "the same by insmod" insmod "$(file / lacks_clock)"
check "says so, too" says_text \
    "insmod: ERROR: could not insert module $(file / lacks_clock): No such file or directory $words"
words="(kernel: wrong_revision: the device does not answer)"
expect 1 "a driver that minds its device" insmod "$(file / wrong_revision)"
check "is not said to mind a parameter" says_text \
    "insmod: ERROR: could not insert module $(file / wrong_revision): Invalid argument $words"
