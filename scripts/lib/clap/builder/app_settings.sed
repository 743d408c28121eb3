# clap's settings of a command: those that nanomod sets, or that follow from what it
# sets, are constants. The last line tells how many lines that are.
s/^        self\.0 & setting\.bit() != 0$/        use AppSettings::{Built, DisableHelpFlag, DisableHelpSubcommand, DisableVersionFlag, InferLongArgs, NoBinaryName}; matches!(setting, DisableHelpFlag | DisableHelpSubcommand | DisableVersionFlag | InferLongArgs | NoBinaryName) || (setting == Built \&\& self.0 \& setting.bit() != 0)/
# Lines changed: 1
