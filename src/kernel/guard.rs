//! What `deny` keeps out whatever its file is called: the kernel knows a module by what is in
//! the file, and that is looked at on the descriptor that is inserted, or in what was
//! decompressed from it.

use super::load::Failure;
use crate::config::Config;
use crate::format::elf::{MAGIC, ModuleElf};
use crate::name::ModuleName;

/// Who may say of a module that it must not be inserted; nobody, by default.
#[derive(Default, Clone, Copy)]
pub struct Guard<'a>(Option<&'a Config>);

impl<'a> Guard<'a> {
    /// That what `config` denies is kept out.
    pub fn new(config: &'a Config) -> Self {
        Self((!config.denials.is_empty()).then_some(config))
    }

    /// Whether there is anything to look for.
    pub fn is_on(self) -> bool {
        self.0.is_some()
    }

    /// Whether the uncompressed module `image` may be inserted. What is no ELF file the kernel
    /// refuses; what is one and can't be read here, nobody knows the name of.
    pub fn check(self, image: &[u8]) -> Result<(), Failure> {
        let Some(config) = self.0.filter(|_| image.starts_with(MAGIC)) else { return Ok(()) };
        let module = ModuleElf::parse(image).map_err(Failure::Content)?;
        let mut denied = Ok(());
        let all = module.names(&mut |name| {
            let name = ModuleName::new(name);
            if let Some(place) = config.denial(&name) {
                let why = format!("denied by {place}, as '{name}' is in its file");
                denied = Err(Failure::Content(why));
            }
            denied.is_err()
        });
        all.map_err(Failure::Content).and(denied)
    }
}
