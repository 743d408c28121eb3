# Sixteen workers: whatever is asked for and whoever of them is faster, the same modules
# are there at the end as one after the other brings, with their options, and soft
# dependencies in their order.
# kernels: uml 6.1 6.12 6.1-arm64 6.1-armmp
# tiers: full
# modules: 8021q vfat msdos minix mac-roman mac-greek nls_cp437 nls_cp737 xt_LOG xt_mark isofs
# modules: overlay udf dm-thin-pool dm-cache dm-snapshot dm-zero twofish_generic blowfish_generic
# modules: cast5_generic cast6_generic lz4 lz4hc ts_kmp ts_bm bfs befs efs romfs qnx4 omfs
# tools: unload-all
# loader: nanomod

all=$(sed -n 's/^# modules: //p' /tests/jobs.sh | xargs)
# An emulated machine has no time for more.
runs=15
! grep -q 'User Mode Linux' /proc/cpuinfo || runs=200
seed=$(date +%s)

# names: of a plan's modules
names() {
    sed -n 's/^insmod .*\/\([^/]*\)\.ko.*/\1/p' | tr - _ | sort -u | xargs
}

# Soft dependencies that find no such processor are not there, whoever loads them.
# shellcheck disable=SC2086 # names
modprobe -a $all
cut -d ' ' -f 1 /proc/modules >possible
unload-all >still
for name in $all; do
    echo "$name $(modprobe -D "$name" | names)"
done >closures
# What coldplug adds to that.
hardware=$(coldplug -n | names)

# A line for each run: what is asked for, and what then has to be there.
awk -v seed="$seed" -v runs=$runs '
    FILENAME == "possible" { possible[$1]; next }
    {
        names[++last] = $1
        for (i = 2; i <= NF; i++) if ($i in possible) needs[$1, ++count[$1]] = $i
    }
    END {
        srand(seed)
        while (runs-- > 0) {
            asked = wanted = ""
            split("", seen)
            for (left = 1 + int(rand() * 9); left > 0; left--) {
                name = names[1 + int(rand() * last)]
                asked = asked " " name
                for (i = 1; i <= count[name]; i++)
                    if (!(needs[name, i] in seen)) {
                        seen[needs[name, i]]
                        wanted = wanted " " needs[name, i]
                    }
            }
            print asked "," wanted
        }
    }' possible closures >draw

# Whether these modules are there and no others.
are_there() {
    awk -v wanted="$1" '
        { there[$1] = $5 }
        END {
            n = split(wanted, names, " ")
            for (i = 1; i <= n; i++) {
                if (there[names[i]] != "Live") bad = 1
                delete there[names[i]]
            }
            for (name in there) bad = 1
            exit bad
        }' /proc/modules
}

# Whether each run ends with what it should.
always_the_same() {
    every=0 bad=0
    while IFS=, read -r asked wanted; do
        every=$((every + 1))
        set -- modprobe -a
        [ $((every % 4)) != 0 ] || set -- coldplug
        [ "$1" = modprobe ] || wanted="$wanted $hardware"
        # shellcheck disable=SC2086 # names
        if ! "$@" -j 16 $asked >out 2>err || [ -s err ] || ! are_there "$wanted"; then
            bad=$((bad + 1))
            echo "    run $every: $* -j 16$asked"
            evidence
        fi
        unload-all >still || echo "    run $every: can't be removed: $(xargs <still)"
        [ $bad -lt 3 ] || break
    done <draw
    [ $bad = 0 ]
}
check "$runs runs of modules drawn with $seed" always_the_same

config "softdep minix pre: mac-roman post: nls_cp737" "softdep mac-roman pre: isofs" \
    "options overlay index=1" "options dm_mod reserved_bio_based_ios=32" "softdep omfs pre: overlay"
# Whether these are there, the last one inserted first.
in_order() {
    for module in "$@"; do echo "$module"; done >wanted
    cut -d ' ' -f 1 /proc/modules | grep -xF -f wanted >there
    cmp -s wanted there
}
for i in 1 2 3; do
    expect 0 "soft dependencies, $i" modprobe -a -j 16 dm-zero nls_cp437 minix dm-snapshot omfs udf
    check "in order" in_order nls_cp737 minix mac_roman isofs
    check "options of a soft dependency" parameter overlay index Y
    check "options of what two others need" parameter dm_mod reserved_bio_based_ios 32
    unload-all >still
done
