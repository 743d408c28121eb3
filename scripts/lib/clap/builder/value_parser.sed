# All values are any bytes.
/fn any_value_parser/,/^    }/s/^        match &self\.0 {$/        match \&ValueParserInner::OsString {/
# Lines changed: 1
