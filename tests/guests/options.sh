# Options arrive in the module: from the command line, modprobe.d and the kernel
# command line, in that order of strength, for dependencies too.
# kernels: uml 6.1 6.12 6.1-arm64 6.1-armmp
# modules: overlay mtdoops
# cmdline: overlay.redirect_max=1111 overlay.metacopy=Y

expect 0 "from the kernel command line" modprobe overlay
check "a number" parameter overlay redirect_max 1111
check "a boolean" parameter overlay metacopy Y
unload overlay

config "options overlay index=Y redirect_max=2222"
expect 0 "from modprobe.d" modprobe overlay
check "it arrives" parameter overlay index Y
check "the kernel command line comes after it" parameter overlay redirect_max 1111
unload overlay

config "options overlay index=Y"
expect 0 "from the command line" modprobe overlay redirect_max=3333 index=N
check "a number" parameter overlay redirect_max 3333
check "it comes after modprobe.d" parameter overlay index N
check "the others stay" parameter overlay metacopy Y
unload overlay

config "options mtdoops mtddev=a,b"
expect 0 "by the module's own name" modprobe mtdoops
check "a string" parameter mtdoops mtddev a,b
unload mtdoops mtd
expect 0 "a value with spaces" modprobe mtdoops "mtddev=two words"
check "it is one value" parameter mtdoops mtddev "two words"
