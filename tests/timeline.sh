#!/bin/bash
# timeline.sh NANOMOD
#
# Has NANOMOD draw a run of 100 modules and renders the picture: it must be XML, it
# must render without a warning, in its size, in light and in dark, and whatever the
# legend names must be there to see. The last line is `N passed, M failed`.
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
. "$(dirname "$0")/../scripts/lib/setup.sh"
[ $# = 1 ] || die "usage: timeline.sh NANOMOD"
need librsvg2-bin:rsvg-convert libxml2-utils:xmllint
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

# check WHAT COMMAND...
check() {
    local what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $what"
    fi
}

# A run of as many modules, by three workers that take what is ready first; each needs
# some before it. The numbers look random and are always the same.
trace() {
    awk -v modules="$1" -v workers=3 '
        function random(most) {
            seed = seed * 16807 % 2147483647
            return seed % most
        }
        function event(kind, worker, begin, end, args) {
            printf "%s{\"ph\": \"X\", \"name\": \"%s\", \"cat\": \"%s\", \"pid\": 1, \"tid\": %d, ", \
                separator, name[m], kind, worker
            printf "\"ts\": %d, \"dur\": %d%s}", begin, end - begin, args
            separator = ",\n"
        }
        BEGIN {
            seed = 20240
            for (m = 1; m <= modules; m++) {
                name[m] = substr("virtio_crypto_sound_codec_generic_driver", 1, 4 + random(32)) m
                for (n = m > 9 ? random(4) : 0; n > 0; n--) {
                    need[m, n] = m - 1 - random(9)
                    list[m] = list[m] (list[m] ? ", " : "") "\"" name[need[m, n]] "\""
                }
            }
            for (w = 1; w <= workers; w++) free[w] = 3000 + w
            printf "{\"traceEvents\": ["
            separator = "\n"
            for (left = modules; left > 0; left--) {
                next_one = 0
                for (other = 1; other <= modules; other++) {
                    ready = 3000
                    for (n = 1; n < 4; n++) {
                        if (!((other, n) in need)) continue
                        there = end[need[other, n]]
                        ready = !there || ready < 0 ? -1 : there > ready ? there : ready
                    }
                    for (w = 1; w <= workers && ready > 0 && !end[other]; w++) {
                        begin = free[w] > ready ? free[w] : ready
                        if (next_one && begin >= first) continue
                        next_one = other
                        worker = w
                        first = begin
                        since = ready
                    }
                }
                m = next_one
                size = 4096 + random(400000)
                read = first + 100 + int(size / 500)
                plain = read + int(size / 30) * (random(4) > 0)
                end[m] = free[worker] = plain + 300 + random(random(6) ? 4000 : 40000)
                args = sprintf(", \"args\": {\"ready\": %d, \"needs\": [%s], \"result\": \"%s\"", \
                    since, list[m], random(25) ? "inserted" : "No such device")
                args = args sprintf(", \"path\": \"/%s.ko.xz\", \"how\": \"xz\", \"file\": %d", \
                    name[m], size)
                args = args sprintf(", \"image\": %d, \"core\": %d, \"init\": 4096, \"wasted\": %d}", \
                    size * 4, size * 3, random(9000))
                event("read", worker, first, read, "")
                if (plain > read) event("decompress", worker, read, plain, "")
                event(m % 30 ? "kernel" : "command", worker, plain, end[m], args)
                if (end[m] > total) total = end[m]
            }
            printf "\n], \"otherData\": {\"program\": \"nanomod 0\", \"command\": \"coldplug\", "
            printf "\"release\": \"6.1.0\", \"jobs\": %d, \"total\": %d}}\n", workers, total + 999
        }'
}

# render PICTURE: to a PNG beside it, without a word
render() {
    [ -z "$(rsvg-convert -o "${1%.svg}.png" "$1" 2>&1 | tee /dev/stderr)" ]
}

# The width and the height that a PNG says.
size() {
    od -A n -t u1 -j 16 -N 8 "$1" |
        awk '{ print ($3 * 256 + $4) "x" ($7 * 256 + $8) }'
}

# seen SELECTOR: the picture is another one without it
seen() {
    sed "s/<\/style>/$1{display:none}&/" "$work/light.svg" >"$work/without.svg"
    render "$work/without.svg" && ! cmp -s "$work/light.png" "$work/without.png"
}

trace 100 >"$work/trace"
trace 0 >"$work/nothing"
check "a picture is drawn" "$1" timeline "$work/trace" -o "$work/light.svg"
check "a picture of nothing is drawn" "$1" timeline "$work/nothing" -o "$work/empty.svg"
"$1" timeline - <"$work/trace" >"$work/again.svg" || true
check "it is the same from standard input" cmp "$work/light.svg" "$work/again.svg"
# What a reader has who wants it dark: these rules without a condition.
sed 's/^@media.*//; s/^}$//' "$work/light.svg" >"$work/dark.svg"
for picture in light dark empty; do
    check "$picture is XML" xmllint --noout "$work/$picture.svg"
    check "$picture renders" render "$work/$picture.svg"
done
check "light and dark differ" [ "$(cksum <"$work/light.png")" != "$(cksum <"$work/dark.png")" ]
check "the size is right" [ "$(size "$work/light.png")" = 1200x1566 ]
check "the size of nothing is right" [ "$(size "$work/empty.png")" = 1200x166 ]
check "each module has its row" [ "$(grep -c '<g class="bar' "$work/light.svg")" = 100 ]
for what in .title .caption .label .tick .grid .wait .wire .path .busy \
    '.bar .read' '.bar .decompress' '.bar .kernel' '.bar .command' '.bad .box' '.on .box'; do
    check "$what is seen" seen "$what"
done
check "the table of costs has all modules" \
    [ "$("$1" cost "$work/trace" | grep -c '^virt')" = 100 ]

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
