# Messages are made elsewhere.
s/^        self\.set_styles(cmd\.get_styles()\.clone())$/        return self; #[allow(unreachable_code)] Self::set_styles(self, cmd.get_styles().clone())/
# Lines changed: 1
