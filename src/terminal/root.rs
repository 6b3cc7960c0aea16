//! The command line to type again as root.

use crate::os::privileges::is_run_by_root;
use crate::text::ShellWord;
use std::path::Path;

/// The folders of sudo's usual `secure_path`.
const SECURE_PATH: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// This process's command line behind `sudo`, as a shell reads it; `None` if root runs it already.
pub(super) fn command_as_root() -> Option<String> {
    if is_run_by_root() {
        return None;
    }
    let mut words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let typed = words.next().unwrap_or_else(|| "tp-perf".to_owned());
    let program = program(&typed, std::env::current_exe().ok().as_deref());
    Some(line(&program, words))
}

/// This process's command line for root itself, without the user who called sudo.
pub(super) fn command_of_root_itself() -> String {
    let mut words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let typed = words.next().unwrap_or_else(|| "tp-perf".to_owned());
    let words = ["-u".to_owned(), "SUDO_UID".to_owned(), typed].into_iter().chain(words);
    line("env", words)
}

fn line(program: &str, words: impl Iterator<Item = String>) -> String {
    let words = [program.to_owned()].into_iter().chain(words).map(|word| ShellWord(&word).to_string());
    ["sudo".to_owned()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

/// The program as it was typed, or its whole path if sudo would not find it by its name.
fn program(typed: &str, path: Option<&Path>) -> String {
    let is_found =
        |path: &Path| path.parent().is_some_and(|folder| SECURE_PATH.iter().any(|dir| folder == Path::new(dir)));
    match path {
        Some(path) if !typed.contains('/') && !is_found(path) => path.display().to_string(),
        _ => typed.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_can_be_typed_as_it_is_shown() {
        let words = ["-t", "sched:*", "", "it's", "-o", "a b"].map(str::to_owned);
        assert_eq!(line("tp-perf", words.into_iter()), r"sudo tp-perf -t 'sched:*' '' 'it'\''s' -o 'a b'");
    }

    #[test]
    fn a_program_that_sudo_does_not_find_has_its_path() {
        let of_cargo = Path::new("/home/u/.cargo/bin/tp-perf");
        assert_eq!(program("tp-perf", Some(of_cargo)), "/home/u/.cargo/bin/tp-perf");
        assert_eq!(program("./tp-perf", Some(of_cargo)), "./tp-perf");
        assert_eq!(program("tp-perf", Some(Path::new("/usr/bin/tp-perf"))), "tp-perf");
        assert_eq!(program("tp-perf", None), "tp-perf");
    }
}
