# What comes of groups, overrides, defaults, delimiters and requirements, which nanomod has
# none of; and what would be said besides the kind of a mistake.
s/^        ok!(self\.add_defaults(matcher));$//
s/^        Validator::new(self\.cmd)\.validate(matcher)$/        Ok(())/
/^        debug!("Parser::did_you_mean_error: arg={arg}");$/s/$/ return ClapError::new(crate::error::ErrorKind::UnknownArgument);/
/^        debug!("Parser::remove_overrides: id={:?}", arg\.id);$/s/$/ return;/
s/^        if source\.is_explicit() {$/        if false {/
s/^        if let Some(val_delim) = arg\.get_value_delimiter() {$/        if let Some(val_delim) = arg.get_value_delimiter().filter(|_| false) {/
s/^                let required = self\.cmd\.required_graph();$/                let required = crate::util::ChildGraph::<Id>::with_capacity(0);/
# Lines changed: 7
