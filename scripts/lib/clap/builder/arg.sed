# All options say that they append what they are given, and that it is any bytes; and no
# message has an option in it.
s/^        self\.action\.as_ref()\.unwrap_or(&DEFAULT)$/        \&ArgAction::Append/
s/^        self\.stylized(&plain, None)\.fmt(f)$/        Ok(())/
s/^        if self\.action\.is_none() {$/        if false {/
s/^        if let Some(action) = self\.action\.as_ref() {$/        if let Some(action) = self.action.as_ref().filter(|_| false) {/
s/^        if self\.value_parser\.is_none() {$/        if false {/
# Lines changed: 5
