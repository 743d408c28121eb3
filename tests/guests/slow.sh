# Modules that take their time in init: those that don't need each other go in at once, and
# one that fails or hangs holds up nothing but what needs it.
# kernels: 6.1
# needs: jobs trace
# built: slow_1 slow_2 slow_3 slow_4 slow_5 slow_6 slow_7 slow_8 fails needs_fails slow_fails
# built: hangs needs_hangs finds_none requests shows late
# tools: unload-all
# loader: nanomod

# at_once N: so many modules' inits had begun before the first one's was over
at_once() {
    sed -n 's/.*"cat": "kernel".*"ts": \([0-9]*\), "dur": \([0-9]*\).*/\1 \2/p' trace | awk -v n="$1" '
        { began[NR] = $1; end = $1 + $2; if (NR == 1 || end < first) first = end }
        END { for (i in began) count += began[i] < first; exit count < n }'
}

config "options slow_2 value=2" "options slow_4 value=4"
slow="slow_1 slow_2 slow_3 slow_4 slow_5 slow_6 slow_7 slow_8"
# shellcheck disable=SC2086 # names
for how in "modprobe -a -j 8" "nanomod coldplug --jobs 8"; do
    expect 0 "$how" /sbin/$how --trace trace $slow
    check "is silent" test ! -s err
    check "those that don't need each other go in at once" at_once 4
    check "all is there" loaded $slow
    check "a dependency has its options" parameter slow_2 value 2
    check "a name has its options" parameter slow_4 value 4
    unload-all >still
done
unload

expect 1 "modprobe, some fail" modprobe -a -j 8 slow_4 needs_fails slow_fails slow_5 finds_none
check "a dependency is named, and the kernel's words" says \
    "could not insert 'needs_fails': Input/output error \(dependency 'fails'.*does not answer"
check "and the target" says "could not insert 'slow_fails': Input/output error.*does not answer"
check "and the third" says "could not insert 'finds_none': No such device"
check "the others are there" loaded slow_4 slow_5
check "what failed is not" absent fails needs_fails slow_fails finds_none
unload-all >still
expect 1 "coldplug, some fail" coldplug slow_4 needs_fails slow_fails slow_5 finds_none
check "a dependency is named, and the kernel's words" says \
    "could not insert 'needs_fails': Input/output error \(dependency 'fails'.*does not answer"
check "and the target" says "could not insert 'slow_fails': Input/output error.*does not answer"
check "the others are there" loaded slow_4 slow_5
unload-all >still

# The kernel calls modprobe for one that a worker inserts, too.
for how in "modprobe -a -j 8" "nanomod coldplug"; do
    # shellcheck disable=SC2086 # words
    expect 0 "$how: an init that calls modprobe" /sbin/$how requests slow_4 slow_5
    check "is silent" silent
    check "all is there" loaded requests slow_4 slow_5
    unload-all >still
done

expect 0 "one that takes long" coldplug --timeout 30 needs_hangs slow_4 slow_5
check "is waited for" loaded hangs needs_hangs slow_4 slow_5
check "silently" silent
unload-all >still
expect 1 "but not beyond the timeout" coldplug --timeout 1 needs_hangs slow_4 slow_5
check "this is said" says "left behind: hangs\b"
check "the others are there" loaded slow_4 slow_5
check "it goes on" comes 20 loaded hangs
check "without what needs it" absent needs_hangs
unload-all >still

config "options shows count=3 after=300" "options late value=7"
expect 0 "devices that come later" coldplug --settle=600 shows
check "have their driver" loaded late
check "with its options" parameter late value 7
unload-all >still
expect 0 "they are waited for" coldplug --wait-for /sys/module/late/parameters shows
check "and their driver with them" loaded late
