//! `lsmod`: the modules in the kernel, with kmod's columns.

use crate::applets::wants_json;
use crate::cli::{Applet, Args, Opt};
use crate::collect::Collect;
use crate::error::{Error, Status};
use crate::format::json::Json;
use crate::name::ModuleName;
use crate::output::{Level, Log, print};
use crate::root::Root;
use crate::state::{Loaded, NO_SUPPORT, State, has_module_support};

static JSON: Opt = Opt::long("json", "Print JSON");

/// The command.
pub static APPLET: Applet = Applet {
    name: "lsmod",
    about: "List the modules in the kernel",
    operands: "",
    notes: "",
    options: &[
        #[cfg(feature = "json")]
        &JSON,
    ],
    environment: None,
    level: Level::Error,
    misuse: Status::Failure,
    run,
};

fn run(args: &Args, log: &Log) -> Status {
    if !args.operands.is_empty() {
        return log.error("takes no arguments (see lsmod --help)");
    }
    let state = State::read(&Root::system());
    let Some(modules) = state.modules() else {
        return log.error(match has_module_support(&Root::system()) {
            true => state.error().filter(Error::is_unread).unwrap_or_else(|| {
                Error::said("could not read /proc/modules: /proc is not mounted")
            }),
            false => Error::said(NO_SUPPORT),
        });
    };
    if wants_json(args, &JSON) {
        let modules = Json::List(modules.iter().map(json).vec());
        return print(log, modules.document().as_bytes());
    }
    let mut text = b"Module                  Size  Used by\n".to_vec();
    modules.iter().for_each(|module| row(&mut text, module));
    print(log, &text)
}

fn json(module: &Loaded) -> Json {
    let number = |number: i64| Json::Number(number);
    Json::Object(vec![
        ("name", Json::text(module.name.as_bytes())),
        ("size", number(i64::try_from(module.size).unwrap_or(i64::MAX))),
        ("refcnt", module.refcnt.map_or(Json::Null, number)),
        ("used_by", Json::texts(module.holders.iter().map(ModuleName::as_bytes))),
        ("state", Json::text(module.phase.name())),
    ])
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
    use crate::state::Phase;

    #[test]
    fn columns_are_those_of_kmod() {
        let mut text = Vec::new();
        let name = |name: &str| ModuleName::new(name.as_bytes());
        let holders = vec![name("a"), name("b")];
        row(
            &mut text,
            &Loaded {
                name: name("jbd2"),
                size: 167936,
                refcnt: Some(2),
                holders,
                phase: Phase::Live,
            },
        );
        let long = name("a_very_long_module_name");
        row(
            &mut text,
            &Loaded { name: long, size: 1, refcnt: None, holders: vec![], phase: Phase::Live },
        );
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "jbd2                  167936  2 a,b\na_very_long_module_name        1  -\n"
        );
    }
}
