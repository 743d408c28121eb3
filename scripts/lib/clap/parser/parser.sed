# What comes of subcommands, groups, defaults and requirements, which nanomod has none of;
# and what would be said besides the kind of a mistake.
s/^        ok!(self\.add_defaults(matcher));$//
s/^        Validator::new(self\.cmd)\.validate(matcher)$/        Ok(())/
s/^        if let Some(ref pos_sc_name) = subcmd_name {$/        if let Some(ref pos_sc_name) = subcmd_name.filter(|_| false) {/
/^        debug!("Parser::possible_subcommand: arg={arg:?}");$/s/$/ return None;/
/^        debug!("Parser::possible_long_flag_subcommand: arg={arg:?}");$/s/$/ return None;/
/^        debug!("Parser::did_you_mean_error: arg={arg}");$/s/$/ return ClapError::new(crate::error::ErrorKind::UnknownArgument);/
/^        debug!("Parser::remove_overrides: id={:?}", arg\.id);$/s/$/ return;/
s/^        if source\.is_explicit() {$/        if false {/
s/^        if let Some(val_delim) = arg\.get_value_delimiter() {$/        if let Some(val_delim) = arg.get_value_delimiter().filter(|_| false) {/
s/^                let required = self\.cmd\.required_graph();$/                let required = crate::util::ChildGraph::<Id>::with_capacity(0);/
# Lines changed: 10
