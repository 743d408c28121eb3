#!/bin/bash
# Power cuts under depmod: a guest with its indexes on ext4 writes one set of them and then
# another, again and again, and is killed at any moment, with all that it had not brought to
# the disk. Then the file system is mended as a boot would do, and each index has to be whole,
# the one set's or the other's, and both kmod and nanomod find all that both sets know.
# Usage: tests/powercut.sh NANOMOD TIMES
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
. "$(dirname "$0")/../scripts/lib/setup.sh"
# shellcheck source=scripts/lib/kernels.sh
. "$top/scripts/lib/kernels.sh"
# shellcheck source=scripts/lib/guests.sh
. "$top/scripts/lib/guests.sh"

[ $# = 2 ] || die "usage: tests/powercut.sh NANOMOD TIMES"
nanomod=$(realpath "$1") times=$2
need e2fsprogs:mkfs.ext4 busybox-static kmod:depmod
kernel=$(kernel uml)
release=$(release "$kernel")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
below=lib/modules/$release
passed=0 failed=0

# A disk with some hundred modules of which one comes and goes.
root=$work/root
mkdir -p "$root"/{bin,sbin,dev,proc,sys,tmp,away} "$root/$below"
cp /bin/busybox "$root/bin"
cp "$nanomod" "$root/sbin/depmod"
cp -r "$kernel/$below"/{kernel,modules.order,modules.builtin} "$root/$below"
: >"$root/$below/modules.builtin.modinfo"
find "$root/$below/kernel" -name '*.ko' ! -name minix.ko -size +24k -delete
extra=$below/kernel/fs/minix/minix.ko
cat >"$root/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -o remount,rw /
cd /lib/modules/* || exit
extra=kernel/fs/minix/minix.ko
echo "guest: begins"
while :; do
    /bin/busybox mv $extra /away/minix.ko
    /sbin/depmod "${PWD##*/}" || echo "guest: depmod failed"
    /bin/busybox mv /away/minix.ko $extra
    /sbin/depmod "${PWD##*/}" || echo "guest: depmod failed"
    echo "guest: round"
done
INIT
chmod 755 "$root/init"

# The two sets, here.
for set in without with; do
    cp -r "$root" "$work/$set"
    [ $set = with ] || rm "$work/$set/$extra"
    "$nanomod" depmod -b "$work/$set" "$release"
done
cp "$work/with/$below"/modules.* "$root/$below"
(cd "$work/with/$below" && ls modules.*) >"$work/files"
truncate -s 48M "$work/disk"
mkfs.ext4 -q -d "$root" "$work/disk"

# found COMMAND...: what each module of the smaller set needs, and an alias
found() {
    (cd "$work/without/$below" && find kernel -name '*.ko' -printf '%f\n') | sed 's/\.ko$//' | sort |
        xargs "$@" -C "$work/none" -d "$work/after" -S "$release" -a -D 2>&1 |
        sed "s|$work/after||; s|$work/without||"
}
mkdir "$work/none" "$work/bin"
ln -s "$nanomod" "$work/bin/modprobe"
ln -s without "$work/after"
found modprobe >"$work/found.whole"
rm "$work/after"
[ "$(wc -l <"$work/found.whole")" -gt 100 ] || die "too few modules are found"

# right: what is wrong with what the disk has now, if anything
right() {
    local file modprobe
    e2fsck -p "$work/now" >"$work/fsck" 2>&1 || [ $? -le 1 ] || {
        echo "the file system can't be mended: $(tail -n 1 "$work/fsck")"
        return
    }
    rm -rf "$work/after"
    mkdir -p "$work/after/lib/modules"
    debugfs -R "rdump /$below $work/after/lib/modules" "$work/now" >/dev/null 2>&1
    while read -r file; do
        cmp -s "$work/after/$below/$file" "$work/with/$below/$file" ||
            cmp -s "$work/after/$below/$file" "$work/without/$below/$file" ||
            echo "$file is neither the one nor the other"
    done <"$work/files"
    for modprobe in modprobe "$work/bin/modprobe"; do
        found "$modprobe" >"$work/found"
        cmp -s "$work/found" "$work/found.whole" ||
            echo "$modprobe: $(diff "$work/found" "$work/found.whole" | sed -n 2p)"
    done
}

mixed=0
for ((cut = 1; cut <= times; cut++)); do
    cp --sparse=always "$work/disk" "$work/now"
    : >"$work/console"
    MEMORY=96 TMPDIR=$work boot uml "$kernel" '' 120 \
        "ubd0=$work/now root=/dev/ubda init=/init" >"$work/console" &
    # From its first run on, at any moment of two rounds.
    for ((wait = 0; wait < 600; wait++)); do
        ! grep -q '^guest: round' "$work/console" || break
        sleep 0.1
    done
    sleep "$(awk -v seed="$RANDOM" 'BEGIN { srand(seed); printf "%.3f", rand() * 1.5 }')"
    # Again, as it may be starting a process of the guest's at that moment.
    while pkill -9 -f "ubd0=$work/now"; do
        sleep 0.05
    done
    wait
    wrong=$(right)
    ! grep -q 'depmod failed' "$work/console" || wrong+=" depmod failed"
    grep -q '^guest: round' "$work/console" || wrong+=" the guest did not come so far"
    if [ -n "$wrong" ]; then
        failed=$((failed + 1))
        echo "FAILED: cut $cut: $(head -n 3 <<<"$wrong" | paste -s -d ';')"
    else
        passed=$((passed + 1))
    fi
    same=0
    for set in with without; do
        [ "$(cd "$work/$set/$below" && xargs sha256sum <"$work/files")" != \
            "$(cd "$work/after/$below" && xargs sha256sum <"$work/files")" ] || same=1
    done
    mixed=$((mixed + 1 - same))
done
echo "$mixed of $times left a mixture"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
