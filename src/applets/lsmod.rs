//! `lsmod`: the modules in the kernel, with kmod's columns.

use crate::cli::{Applet, Args};
use crate::error::Status;
use crate::output::{Level, Log, print};
use crate::root::Root;
use crate::state::{Loaded, State};

/// The command.
pub static APPLET: Applet = Applet {
    name: "lsmod",
    about: "List the modules in the kernel",
    operands: "",
    notes: "",
    options: &[],
    level: Level::Error,
    run,
};

fn run(args: &Args, log: &Log) -> Status {
    if !args.operands.is_empty() {
        return log.error("takes no arguments (see lsmod --help)");
    }
    let state = State::read(&Root::system());
    let Some(modules) = state.modules() else {
        return log.error("could not read /proc/modules (no /proc, or a kernel without modules)");
    };
    let mut text = b"Module                  Size  Used by\n".to_vec();
    modules.iter().for_each(|module| row(&mut text, module));
    print(log, &text)
}

fn row(text: &mut Vec<u8>, module: &Loaded) {
    text.extend_from_slice(module.name.as_bytes());
    let padding = 19usize.saturating_sub(module.name.as_bytes().len());
    text.resize(text.len() + padding, b' ');
    let refcnt = module.refcnt.map_or_else(|| "-".to_owned(), |count| count.to_string());
    text.extend_from_slice(format!(" {:>8}  {refcnt}", module.size).as_bytes());
    for (at, holder) in module.holders.iter().enumerate() {
        text.push(if at == 0 { b' ' } else { b',' });
        text.extend_from_slice(holder.as_bytes());
    }
    text.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::ModuleName;

    #[test]
    fn columns_are_those_of_kmod() {
        let mut text = Vec::new();
        let name = |name: &str| ModuleName::new(name.as_bytes());
        let holders = vec![name("a"), name("b")];
        row(
            &mut text,
            &Loaded { name: name("jbd2"), size: 167936, refcnt: Some(2), holders, live: true },
        );
        let long = name("a_very_long_module_name");
        row(&mut text, &Loaded { name: long, size: 1, refcnt: None, holders: vec![], live: true });
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "jbd2                  167936  2 a,b\na_very_long_module_name        1  -\n"
        );
    }
}
