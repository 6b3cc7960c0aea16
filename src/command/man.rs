//! `tp-perf man`: the manual pages.

mod help;
mod page;
mod text;

use super::context::Context;
use crate::cli::{Cli, ManArgs};
use crate::text::OneLine;
use anyhow::{Context as _, anyhow};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory};
use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Prints one page, or writes all of them into a directory.
pub fn run(args: ManArgs, context: &mut Context) -> anyhow::Result<u8> {
    // A page has all options, including those that the help of a subcommand leaves out.
    let shown = |arg: clap::Arg| arg.hide_short_help(false).hide_long_help(false);
    let program = Cli::command().disable_help_subcommand(true).mut_args(shown);
    let mut program = program.mut_subcommands(|command| command.mut_args(shown));
    program.build();
    if let Some(dir) = args.dir {
        let paths = write_all(&program, &dir)?;
        context.out.print(paths.as_bytes())?;
    } else {
        let page = page::of(find(&program, args.subcommand.as_deref())?, &program);
        context.out.print(page.as_bytes())?;
    }
    Ok(0)
}

/// The program itself, or one of its subcommands.
fn find<'a>(program: &'a Command, name: Option<&str>) -> Result<&'a Command, clap::Error> {
    let Some(name) = name else { return Ok(program) };
    program.find_subcommand(name).ok_or_else(|| {
        let names = page::subcommands(program).map(|command| command.get_name().to_owned()).collect();
        let mut error = clap::Error::new(ErrorKind::InvalidValue);
        error.insert(ContextKind::InvalidArg, ContextValue::String("[SUBCOMMAND]".to_owned()));
        error.insert(ContextKind::InvalidValue, ContextValue::String(name.to_owned()));
        error.insert(ContextKind::ValidValue, ContextValue::Strings(names));
        error
    })
}

/// Writes a file for each page. Gives their paths, one per line.
fn write_all(program: &Command, dir: &Path) -> anyhow::Result<String> {
    let mut paths = String::new();
    for command in std::iter::once(program).chain(page::subcommands(program)) {
        let path = dir.join(page::file_name(command));
        write_whole(&path, &page::of(command, program)).map_err(|cause| failure(dir, &path, cause))?;
        paths.push_str(&format!("{}\n", OneLine(path.display())));
    }
    Ok(paths)
}

/// Writes a file under a temporary name first, so a reader finds either the whole new page or the old one.
fn write_whole(path: &Path, page: &str) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new(""));
    // The umask removes the permissions that the user does not want.
    let permissions = Permissions::from_mode(0o666);
    let mut file = tempfile::Builder::new().prefix(".tp-perf-man-").permissions(permissions).tempfile_in(dir)?;
    file.write_all(page.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

fn failure(dir: &Path, path: &Path, cause: io::Error) -> anyhow::Error {
    let dir = dir.display();
    match cause.kind() {
        io::ErrorKind::NotFound => {
            anyhow!("failed to write into `{dir}`: no such directory; make it with `mkdir -p {dir}`")
        }
        io::ErrorKind::NotADirectory => anyhow!("failed to write into `{dir}`: not a directory; name a directory"),
        io::ErrorKind::PermissionDenied => {
            anyhow!(
                "failed to write into `{dir}`: permission denied; write the pages into a directory of your own, then install them: \
                 `sudo install -m 644 -t {dir} *.1`"
            )
        }
        _ => Err::<(), _>(cause).with_context(|| format!("failed to write `{}`", path.display())).unwrap_err(),
    }
}
