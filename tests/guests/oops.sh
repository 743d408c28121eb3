# A driver that makes the kernel oops takes along the process that inserts it: that one is
# told as a failure, with the kernel's words, and all else goes on.
# kernels: 6.1 6.1-arm64 6.1-armmp
# modules: 8021q vfat minix mac-roman mac-greek isofs overlay xt_LOG xt_mark
# built: oopses_1 oopses_2 oopses_3 oopses_4 oopses_5 oopses_6 oopses_7 needs_oopses slow_4 slow_5
# tools: unload-all
# loader: nanomod
# last: 1

stuck oopses_1 oopses_2 oopses_3 oopses_4 oopses_5 oopses_6 oopses_7
new_log
coldplug() { ending 20 /sbin/nanomod coldplug "$@"; }
words='kernel: .*(BUG:|Oops|Unable to handle|Unhandled fault)'

modprobe oopses_6
check "modprobe alone is killed, and its shell is not" test $? -gt 128
check "the kernel says why" sh -c 'dmesg | grep -qE "Oops|Unable to handle|Unhandled fault"'
check "it stays half-way" not loaded oopses_6
expect 0 "modprobe goes on to work" modprobe slow_4
check "it is there" loaded slow_4
unload slow_4

number=0
for how in "nanomod coldplug --timeout 20 --wait-for /dev/null" "nanomod coldplug -j 1 --timeout 20" \
    "modprobe -a -j 16"; do
    many=
    case $how in
    modprobe*)
        has jobs || continue
        many="8021q vfat minix mac_roman mac_greek isofs overlay xt_LOG xt_mark"
        ;;
    esac
    number=$((number + 1))
    start
    # shellcheck disable=SC2086 # words
    expect 1 "$how" ending 20 /sbin/$how oopses_$number slow_4 slow_5 $many
    check "ends soon" within 15
    check "says what happened" says "could not insert 'oopses_$number'.*the kernel killed the worker"
    check "in the kernel's words" says "$words"
    # shellcheck disable=SC2086 # words
    check "the others are there" loaded slow_4 slow_5 $many
    unload-all >still
done

echo oopses_4 >/etc/modules-load.d/test.conf
start
expect 0 "one that a list names" coldplug --timeout 20 slow_4
check "ends soon" within 15
check "says so" says "could not insert 'oopses_4'.*the kernel killed the worker"
check "the other is there" loaded slow_4
rm /etc/modules-load.d/test.conf
unload slow_4

# Without `-j`, modprobe inserts by itself, and would be killed itself.
config "softdep slow_4 pre: oopses_5"
expect 0 "a soft dependency" coldplug --timeout 20 slow_4 slow_5
check "what wants it and what does not are there" loaded slow_4 slow_5
unload slow_4 slow_5

start
expect 1 "what needs one" coldplug --timeout 20 needs_oopses slow_4
check "ends soon" within 15
check "names it" says "could not insert 'needs_oopses'.*dependency 'oopses_7'"
check "in the kernel's words" says "$words"
check "the other is there" loaded slow_4
check "it is not" absent needs_oopses
unload slow_4

# The one before is still there, half-way: the kernel lets wait for it whoever wants it now.
start
expect 1 "what needs one that stays half-way" coldplug --timeout 3 needs_oopses slow_4
check "ends soon" within 15
check "names it" says "(needs_oopses|oopses_7)"
check "the other is there" loaded slow_4
unload slow_4
forget_log
