//! A config file: options of a command, as TOML. Each key is the long name of an option.

use super::usage::usage;
use clap::{Arg, ArgAction, Command};
use nix::libc::O_NONBLOCK;
use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use toml::{Table, Value};

/// No config is nearly as large.
const MOST_BYTES: u64 = 1 << 20;
/// A less similar name does not help.
const ALIKE: f64 = 0.75;

/// Turns a config file into words of the command line, and adds `typed`: what the user typed behind the name of `command`. An option
/// that the user typed overrides its key in the file.
///
/// # Errors
/// Wrong usage, with the file and the key: a file that cannot be read, or a key that is no option.
pub(super) fn with_config(command: &Command, path: &Path, typed: &[OsString]) -> Result<Vec<OsString>, clap::Error> {
    let shown = path.display();
    let bad = |what: String| usage(format!("{shown}: {what}"));
    let mut text = String::new();
    // A pipe might have no writer, and the monitor would wait for one.
    let file = fs::OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(path);
    let file = file.and_then(|file| match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(std::io::Error::other("it is not a file")),
    });
    let read = file.and_then(|file| file.take(MOST_BYTES + 1).read_to_string(&mut text));
    read.map_err(|error| bad(format!("the config file cannot be read: {error}")))?;
    if text.len() as u64 > MOST_BYTES {
        return Err(bad("it is larger than 1 MiB, so it is not a config file".to_owned()));
    }
    let table: Table = text.parse().map_err(|error: toml::de::Error| bad(mistake(&text, &error)))?;
    let words = || ["tp-perf".into()].into_iter().chain(typed.iter().cloned());
    let matches = command.clone().try_get_matches_from(words())?;
    let is_typed =
        |arg: &Arg| matches.value_source(arg.get_id().as_str()) == Some(clap::parser::ValueSource::CommandLine);
    let mut all = Vec::new();
    for (key, value) in &table {
        let Some(arg) = command.get_arguments().find(|arg| arg.get_long() == Some(key.as_str()) && may_be_key(arg))
        else {
            return Err(bad(unknown(command, key)));
        };
        if !is_typed(arg) {
            all.extend(words_of(arg, key, value).map_err(|what| bad(format!("`{key}`: {what}")))?);
        }
    }
    all.extend(typed.iter().cloned());
    Ok(all)
}

/// Whether an option may be in a config file. The others say what to do with the file.
fn may_be_key(arg: &Arg) -> bool {
    !arg.is_hide_set() && !["config", "check-config", "help"].contains(&arg.get_long().unwrap_or_default())
}

/// The mistake of a file that is not TOML, with its line.
fn mistake(text: &str, error: &toml::de::Error) -> String {
    let line = error
        .span()
        .map(|span| text.as_bytes()[..span.start.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1);
    let at = line.map(|line| format!("line {line}: ")).unwrap_or_default();
    format!("{at}{}", error.message())
}

fn unknown(command: &Command, key: &str) -> String {
    let keys = command.get_arguments().filter(|arg| may_be_key(arg)).filter_map(Arg::get_long);
    let nearest = keys
        .map(|known| (strsim::jaro_winkler(key, known), known))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let tip = nearest.map_or_else(
        || "each key is the long name of an option, without `--`".to_owned(),
        |(_, known)| format!("did you mean `{known}`?"),
    );
    format!("`{key}` is no option of `{}`; {tip}", command.get_name())
}

/// The words for a key and its value.
fn words_of(arg: &Arg, key: &str, value: &Value) -> Result<Vec<OsString>, String> {
    match (arg.get_action(), value) {
        (ArgAction::SetTrue, Value::Boolean(true)) => Ok(vec![format!("--{key}").into()]),
        (ArgAction::SetTrue, Value::Boolean(false)) => Ok(Vec::new()),
        (ArgAction::SetTrue, _) => Err("it must be `true` or `false`".to_owned()),
        (ArgAction::Append, Value::Array(values)) => values.iter().map(|value| word(key, value)).collect(),
        (_, Value::Array(_)) => Err("it takes one value, not a list".to_owned()),
        (_, value) => Ok(vec![word(key, value)?]),
    }
}

fn word(key: &str, value: &Value) -> Result<OsString, String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Table(_) => return Err("it is a section, and a config file has none".to_owned()),
        Value::Boolean(_) | Value::Array(_) | Value::Datetime(_) => {
            return Err("its value must be a text in quotes".to_owned());
        }
    };
    Ok(format!("--{key}={text}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> Command {
        Command::new("monitor")
            .arg(Arg::new("every").long("every"))
            .arg(Arg::new("rule").long("rule").action(ArgAction::Append))
            .arg(Arg::new("quiet").long("quiet").action(ArgAction::SetTrue))
            .arg(Arg::new("config").long("config"))
    }

    fn words(config: &str, typed: &[&str]) -> Result<Vec<String>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, config).unwrap();
        let typed: Vec<OsString> = typed.iter().map(OsString::from).collect();
        let words = with_config(&command(), file.path(), &typed).map_err(|error| error.to_string())?;
        Ok(words.into_iter().map(|word| word.into_string().unwrap()).collect())
    }

    #[test]
    fn keys_become_options_and_the_command_line_overrides_them() {
        let config = "every = \"2s\"\nrule = [\"a > 1/s\", \"new\"]\nquiet = true\n";
        assert_eq!(words(config, &[]).unwrap(), ["--every=2s", "--quiet", "--rule=a > 1/s", "--rule=new"]);
        let both = words(config, &["--every", "1s", "--rule=x", "--config", "f"]).unwrap();
        assert_eq!(both, ["--quiet", "--every", "1s", "--rule=x", "--config", "f"]);
        assert_eq!(words("quiet = false\nrule = \"new\"\nevery = 5", &[]).unwrap(), ["--every=5", "--rule=new"]);
        assert_eq!(words("", &["--quiet"]).unwrap(), ["--quiet"]);
    }

    #[test]
    fn a_mistake_in_the_file_is_named_with_its_place() {
        for (config, said) in [
            ("every = ", "line 1"),
            ("quiet = true\nevery = 1 s\n", "line 2"),
            ("evry = \"1s\"", "did you mean `every`?"),
            ("zzz = 1", "the long name of an option"),
            ("config = \"x\"", "`config` is no option"),
            ("quiet = 1", "`quiet`: it must be `true` or `false`"),
            ("every = [\"1s\"]", "takes one value"),
            ("every = true", "a text in quotes"),
            ("[rule]\nx = 1", "is a section"),
            ("quiet = true\nquiet = true", "line 2"),
        ] {
            let error = words(config, &[]).unwrap_err();
            assert!(error.contains(said), "{config:?} gave {error}");
        }
        let missing = with_config(&command(), Path::new("/no/such/file"), &[]).unwrap_err().to_string();
        assert!(missing.contains("/no/such/file: the config file cannot be read"), "{missing}");
    }
}
