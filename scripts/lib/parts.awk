# Adds up the parts of a static binary from its linker's map, names demangled; `bytes` is
# what the file has. A line of the map is ` SECTION ADDRESS SIZE FROM`, FROM being an
# object or `LIBRARY.a(MEMBER)`; a long SECTION is alone on the line before.

BEGIN {
    # nanomod's own: its applets, and the larger folders beside them.
    PARTS = "^(coldplug|cost|depmod|insmod|install|lsmod|modinfo|modprobe|rmmod|" \
        "static_nodes|timeline|cli|config|format|kernel|plan)$"
}

/^Linker script and memory map/ { begun = 1 }
!begun { next }
# What is not in the file, or stripped off it.
/^\.(bss|tbss|debug|symtab|strtab|shstrtab|comment|note\.gnu\.build-id)/ { outside = 1 }
/^\.[a-z]/ && !/^\.(bss|tbss|debug|symtab|strtab|shstrtab|comment)/ { outside = 0 }
/^ [.*]/ { name = $0 }
outside { next }
match($0, / 0x[0-9a-f]+ +0x[0-9a-f]+ [^ ]/) {
    split(substr($0, RSTART), field, " ")
    size = hex(substr(field[2], 3))
    from = substr($0, RSTART + RLENGTH - 1)
    if (size == 0)
        next
    if (name ~ /^ \*fill/)
        next
    part = from_library(from)
    if (part == "")
        part = from_name(name)
    sum[part] += size
    all += size
    name = ""
}

END {
    for (part in sum)
        printf "%9d %s\n", sum[part], part
    printf "%9d %s\n", bytes - all, "headers, and what lies between the parts"
}

function hex(text,   i, n) {
    n = 0
    for (i = 1; i <= length(text); i++)
        n = n * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
    return n
}

function from_library(from) {
    if (from ~ /liblzma/) return "liblzma"
    if (from ~ /libzstd/) return "zstd"
    if (from ~ /\/libc\.a|\/crt[1in]\.o/) return "musl"
    if (from ~ /libgcc|\/crt(begin|end)/) return "gcc"
    if (from ~ /compiler_builtins/) return "std, core and alloc"
    return ""
}

# The first of the names in it that tells; nanomod's own above those that it fills in.
function from_name(name,   path) {
    if (match(name, /nanomod::(applets::)?[a-z_]+/)) {
        path = substr(name, RSTART + 9, RLENGTH - 9)
        sub(/^applets::/, "", path)
        return "nanomod: " (path ~ PARTS ? path : "the rest")
    }
    if (name ~ /clap/) return "clap"
    if (name ~ /goblin|scroll/) return "goblin"
    if (name ~ /miniz_oxide|adler2/) return "miniz_oxide"
    if (name ~ /liblzma/) return "liblzma"
    if (name ~ /zstd/) return "zstd"
    if (name ~ /(std|core|alloc|hashbrown|std_detect|rustc_demangle|libc|__rustc)::/)
        return "std, core and alloc"
    if (name ~ /nix::/) return "nix"
    return "texts and other constants of Rust's parts"
}
