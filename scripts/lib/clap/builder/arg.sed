# All options append what they are given; and no message has an option in it.
s/^        self\.action\.as_ref()\.unwrap_or(&DEFAULT)$/        \&ArgAction::Append/
s/^        self\.stylized(&plain, None)\.fmt(f)$/        Ok(())/
# Lines changed: 2
