# install and remove commands of modprobe.d: run in the module's place, with its
# options, and free to call modprobe again.
# kernels: uml 6.12 6.1-armmp
# modules: minix mac-roman overlay
# loader: nanomod

[ -e /bin/sh ] || ln -s busybox /bin/sh
config 'install overlay echo "$MODPROBE_MODULE: $CMDLINE_OPTS" >said; /sbin/modprobe --ignore-install overlay $CMDLINE_OPTS' \
    'options overlay metacopy=1' 'softdep overlay pre: minix'
expect 0 "an install command" modprobe overlay index=1
# The kernel command line may have more between them.
check "has the module's options" grep -qx 'overlay: metacopy=1.* index=1' said
check "which arrive" parameter overlay index Y
check "it is inserted, and its softdep" loaded overlay minix
unload overlay minix

config 'install minix kill -9 $$'
expect 1 "one that is killed" modprobe minix
check "is a failure, and told" says "Error running install command 'kill -9 .*' for module minix: killed by signal 9"
check "nothing is inserted" absent minix
expect 0 "-i" modprobe -i minix
check "goes by it" loaded minix

config 'remove minix /sbin/modprobe -r --ignore-remove minix && echo gone >said'
expect 0 "a remove command" modprobe -r minix
check "removes it" absent minix
check "and says so" test "$(cat said)" = gone

config 'softdep minix pre: mac-roman' 'softdep mac-roman pre: minix'
expect 0 "a loop of soft dependencies" modprobe minix
check "ends" loaded minix mac_roman
expect 0 "and so does its removal" modprobe -r minix
check "of both" absent minix mac_roman
