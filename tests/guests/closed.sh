# Called by a script that closed stdin, stdout and stderr, with and without a
# /dev/null to put in their place.
# kernels: uml 6.1 6.12 6.1-arm64 6.1-armmp
# modules: 8021q vfat

modprobe 8021q <&- >&- 2>&-
check "all closed" test $? = 0
check "loaded" loaded 8021q llc
modprobe -r 8021q <&- >&- 2>&-
check "remove with all closed" test $? = 0
check "removed" absent 8021q
modprobe -v vfat <&- >&- 2>&-
check "all closed, -v" test $? = 0
check "loaded" loaded vfat fat
modprobe nosuch <&- >&- 2>&-
check "all closed, an error" test $? = 1
modprobe nosuch <&- 2>&- >out
check "stderr closed, an error" test $? = 1
check "stdout stays clean" not test -s out
rmmod nosuch <&- >&- 2>&-
check "rmmod, all closed" test $? = 1
insmod nosuch <&- >&- 2>&-
check "insmod, all closed" test $? = 1
unload vfat fat

without_dev
modprobe vfat <&- >&- 2>&-
status=$?
modprobe nosuch <&- >&- 2>&-
error=$?
with_dev
check "all closed and no /dev/null" test $status = 0
check "loaded" loaded vfat fat
check "an error there" test $error = 1
