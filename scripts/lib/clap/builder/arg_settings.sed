# Of an option's settings, nanomod uses two.
s/^        self\.0 & setting\.bit() != 0$/        matches!(setting, ArgSettings::AllowHyphenValues | ArgSettings::RequireEquals) \&\& self.0 \& setting.bit() != 0/
# Lines changed: 1
