# No subcommands, groups, global options or help of clap's: nanomod has none of them, and
# the loops over them go.
s/^        self\.subcommands\.iter()$/        std::slice::Iter::default()/
s/^        self\.subcommands\.iter_mut()$/        std::slice::IterMut::default()/
s/^        !self\.subcommands\.is_empty()$/        false/
s/^            self\._propagate();$//
s/^            self\._check_help_and_version(expand_help_tree);$//
s/^            self\._propagate_global_args();$//
s/^                for g in &a\.groups {$/                for g in std::slice::Iter::<Id>::default() {/
s/^            if let Some(deferred) = self\.deferred\.take() {$/            if let Some(deferred) = self.deferred.take().filter(|_| false) {/
s/^        let mut global_arg_vec = Default::default();$//
s/^        self\.get_used_global_args(&matcher, &mut global_arg_vec);$//
s/^        matcher\.propagate_globals(&global_arg_vec);$//
# Lines changed: 11
