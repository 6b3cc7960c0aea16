//! Makes a manual page from the definition of a command line.

use super::help::{Below, List};
use super::text;
use clap::{Arg, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};
use std::fmt::Display;

/// The first lines of each document of `Roff`. A page needs them once.
const PREAMBLE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

/// The markup that clap_mangen writes for an empty line. mandoc warns about it.
const BREAKS: &str = ".br\n\n.br\n";

/// The subcommands that have a page. Those that the help hides have one too.
pub fn subcommands(program: &Command) -> impl Iterator<Item = &Command> {
    program.get_subcommands()
}

/// The name of the page's file, such as `tp-perf-report.1`.
pub fn file_name(command: &Command) -> String {
    format!("{}.1", page_name(command))
}

fn page_name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

/// The page of the program or of one of its subcommands, as roff. Both must have been built.
pub fn of(command: &Command, program: &Command) -> String {
    let subcommand = (command.get_name() != program.get_name()).then(|| command.get_name());
    let below = command.get_after_long_help().or_else(|| command.get_after_help()).map(ToString::to_string);
    let below = Below::parse(&below.unwrap_or_default());
    let mut page = ManPage { roff: PREAMBLE.to_owned() };
    page.title(command);
    page.part(|man, out| man.render_name_section(out), command);
    page.synopsis(command);
    page.description(command, &below.paragraphs);
    // clap_mangen leaves out the text of an option that the short help does not list.
    let listed = |arg: Arg| match arg.is_hide_long_help_set() {
        true => arg.hide(true),
        false => arg.hide_short_help(false),
    };
    page.part(|man, out| man.render_options_section(out), &command.clone().mut_args(listed));
    match subcommand {
        None => page.list_of_subcommands(command),
        Some(_) => page.nested_subcommands(command),
    }
    // Pages have a separate section for exit codes.
    below.lists.iter().filter(|list| list.heading != "Exit codes").for_each(|list| page.list(list));
    let (codes, note) = text::exit_status(subcommand);
    page.entries("EXIT STATUS", &codes);
    if let Some(note) = note {
        page.write(|roff| {
            roff.control("PP", []).text([roman(note)]);
        });
    }
    page.entries("FILES", &text::files(subcommand));
    page.entries("ENVIRONMENT", &text::environment(subcommand));
    page.see_also(subcommand, program);
    page.roff
}

/// A page, built from its title to its end.
struct ManPage {
    roff: String,
}

impl ManPage {
    /// Appends lines. Text between backticks becomes bold, because manual pages show words to type in bold.
    fn write(&mut self, fill: impl FnOnce(&mut Roff)) {
        let mut roff = Roff::default();
        fill(&mut roff);
        self.append(&roff.render());
    }

    fn append(&mut self, document: &str) {
        let lines = document.strip_prefix(PREAMBLE).unwrap_or(document);
        // A terminal without UTF-8 cannot show an ellipsis.
        let lines = lines.replace(BREAKS, ".sp\n").replace('…', "...");
        lines.lines().for_each(|line| self.roff.push_str(&format!("{}\n", code_in_bold(line))));
    }

    /// Appends a section that clap_mangen renders.
    fn part(&mut self, render: impl FnOnce(&Man, &mut Vec<u8>) -> std::io::Result<()>, command: &Command) {
        let mut bytes = Vec::new();
        render(&Man::new(command.clone()), &mut bytes).expect("a Vec takes all bytes");
        self.append(&String::from_utf8(bytes).expect("roff of text is text"));
    }

    fn title(&mut self, command: &Command) {
        let name = page_name(command).to_uppercase();
        let source = concat!("tp-perf ", env!("CARGO_PKG_VERSION"));
        self.write(|roff| {
            roff.control("TH", [name.as_str(), "1", text::DATE, source, "User Commands"]);
            // man must not hyphenate or stretch names of commands and options.
            roff.control("nh", []).control("ad", ["l"]);
        });
    }

    /// The forms of the help's usage, each on a separate line.
    fn synopsis(&mut self, command: &Command) {
        self.write(|roff| {
            roff.control("SH", ["SYNOPSIS"]);
            for (number, form) in forms(command).iter().enumerate() {
                if number > 0 {
                    roff.control("br", []);
                }
                roff.text(form_in_bold(form, command));
            }
        });
    }

    fn description(&mut self, command: &Command, paragraphs: &[String]) {
        self.part(|man, out| man.render_description_section(out), command);
        self.write(|roff| {
            for paragraph in paragraphs {
                roff.control("PP", []).text([roman(paragraph)]);
            }
        });
    }

    fn list_of_subcommands(&mut self, program: &Command) {
        self.write(|roff| {
            roff.control("SH", ["COMMANDS"]);
            for command in subcommands(program) {
                let name = bold(page_name(command));
                roff.control("TP", []).text([name, roman("(1)")]).text([about(command)]);
            }
        });
    }

    /// Subcommands of a subcommand. They have no page of their own.
    fn nested_subcommands(&mut self, command: &Command) {
        for (number, nested) in subcommands(command).enumerate() {
            self.write(|roff| {
                if number == 0 {
                    roff.control("SH", ["COMMANDS"]);
                }
                let usage = forms(nested).join("\n");
                roff.control("TP", []).text(form_in_bold(&usage, nested)).text([about(nested)]);
            });
        }
    }

    fn list(&mut self, list: &List) {
        self.write(|roff| {
            roff.control("SH", [list.heading.to_uppercase().as_str()]);
            for row in &list.rows {
                for (number, term) in row.terms.iter().enumerate() {
                    roff.control(if number == 0 { "TP" } else { "TQ" }, []).text([bold(term)]);
                }
                roff.text([roman(&row.explanation)]);
            }
        });
    }

    fn entries(&mut self, heading: &str, entries: &[text::Explained]) {
        if entries.is_empty() {
            return;
        }
        self.write(|roff| {
            roff.control("SH", [heading]);
            for (term, explanation) in entries {
                roff.control("TP", []).text([bold(*term)]).text([roman(*explanation)]);
            }
        });
    }

    fn see_also(&mut self, subcommand: Option<&str>, program: &Command) {
        let own = |name: &dyn Display| format!("{}-{name}(1)", program.get_name());
        let pages: Vec<String> = match subcommand {
            None => {
                let pages = subcommands(program).map(|command| own(&command.get_name()));
                pages.chain(text::OTHERS.iter().map(|page| (*page).to_owned())).collect()
            }
            Some(name) => {
                let program = format!("{}(1)", program.get_name());
                std::iter::once(program).chain(text::related(name).iter().map(|name| own(name))).collect()
            }
        };
        self.write(|roff| {
            roff.control("SH", ["SEE ALSO"]);
            for (number, page) in pages.iter().enumerate() {
                let (name, section) = page.split_once('(').expect("it is a page's name and its section");
                let end = if number + 1 < pages.len() { "," } else { "" };
                roff.text([bold(name), roman(format!("({section}{end}"))]);
            }
        });
    }
}

fn about(command: &Command) -> Inline {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    roman(if about.is_empty() { about } else { format!("{about}.") })
}

/// The lines of the help's usage.
fn forms(command: &Command) -> Vec<String> {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start().strip_prefix("Usage:").unwrap_or(&usage);
    usage.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

/// A form of the usage. Words that the user types unchanged are bold.
fn form_in_bold(form: &str, command: &Command) -> Vec<Inline> {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    match form.strip_prefix(name) {
        Some(rest) => vec![bold(name), roman(rest)],
        None => vec![roman(form)],
    }
}

/// A line with `text` in bold, unless a backtick has no partner.
fn code_in_bold(line: &str) -> String {
    let pieces: Vec<&str> = line.split('`').collect();
    if pieces.len().is_multiple_of(2) {
        return line.to_owned();
    }
    let piece = |(number, piece): (usize, &&str)| match number % 2 {
        0 => (*piece).to_owned(),
        _ => format!("\\fB{piece}\\fR"),
    };
    pieces.iter().enumerate().map(piece).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ArgAction;

    fn built() -> Command {
        let all = Arg::new("all").long("all").help("Take `all`").action(ArgAction::SetTrue);
        let elsewhere = Arg::new("secret").long("secret").hide_long_help(true);
        let long = Arg::new("long").long("long").help("Only here").hide_short_help(true);
        let list = Command::new("list").about("Show the `tracepoints`").args([all, elsewhere, long]);
        let states = Command::new("states").subcommand(Command::new("show").about("Show one").arg(Arg::new("STATE")));
        let examples = "Examples:\n  # Show them\n  prog list\n\nA PATTERN is a glob. Exit codes: 0 done.";
        let mut program = Command::new("prog").subcommand(list).subcommand(states).after_help(examples);
        program = program.disable_help_subcommand(true);
        program.build();
        program
    }

    #[test]
    fn a_page_has_its_sections_in_the_usual_order() {
        let program = built();
        let page = of(&program, &program);
        let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix(".SH ")).collect();
        let expected = "NAME, SYNOPSIS, DESCRIPTION, OPTIONS, COMMANDS, EXAMPLES, \"EXIT STATUS\", FILES, ENVIRONMENT, \"SEE ALSO\"";
        assert_eq!(headings.join(", "), expected, "{page}");
        assert!(page.contains(".TP\n\\fBprog list\\fR\nShow them\n"), "{page}");
        assert!(page.contains(".PP\nA PATTERN is a glob.\n"), "{page}");
        assert!(!page.contains("Exit codes"), "{page}");
        assert_eq!(page.matches(".ie ").count(), 1, "{page}");
    }

    #[test]
    fn a_subcommand_has_a_page_and_its_subcommands_are_on_it() {
        let program = built();
        let states = program.find_subcommand("states").unwrap();
        assert_eq!(file_name(states), "prog-states.1");
        let page = of(states, &program);
        assert!(page.contains(".TH PROG\\-STATES 1 ") || page.contains(".TH PROG-STATES 1 "), "{page}");
        assert!(page.contains(".TP\n\\fBprog states show\\fR [STATE]\nShow one.\n"), "{page}");
        assert!(page.ends_with(".SH \"SEE ALSO\"\n\\fBprog\\fR(1),\n\\fBprog\\-learn\\fR(1),\n\\fBprog\\-identify\\fR(1),\n\\fBprog\\-check\\fR(1)\n"), "{page}");
    }

    #[test]
    fn an_option_has_its_text_though_the_short_help_does_not_list_it() {
        let program = built();
        let page = of(program.find_subcommand("list").unwrap(), &program);
        assert!(page.contains("\nOnly here\n"), "{page}");
    }

    #[test]
    fn text_in_backticks_is_bold() {
        let program = built();
        let page = of(program.find_subcommand("list").unwrap(), &program);
        assert!(page.contains("\nTake \\fBall\\fR\n") && !page.contains('`') && !page.contains("secret"), "{page}");
        assert_eq!(code_in_bold("one ` alone"), "one ` alone");
    }
}
