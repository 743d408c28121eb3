# Writes the map of LLVM's linker as GNU's linker does, for parts.awk: lines of
# ` SECTION 0xADDRESS 0xSIZE FROM` below one of each section of the file.
BEGIN { print "Linker script and memory map" }
# Its columns: address, address to load to, size, alignment, then the name, which stands
# further to the right for a piece than for a section, and still further for a symbol.
match($0, /^ +[0-9a-f]+ +[0-9a-f]+ +[0-9a-f]+ +[0-9]+ /) {
    rest = substr($0, RLENGTH + 1)
    if (rest ~ /^[^ ]/)
        print rest
    else if (rest ~ /^        [^ ].*:\(.*\)$/) {
        at = match(rest, /:\([^(]*\)$/)
        print " " substr(rest, at + 2, length(rest) - at - 2), "0x" $1, "0x" $3, substr(rest, 9, at - 9)
    }
}
