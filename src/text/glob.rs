//! Globs over one line of text: `*`, `?`, `[a-z]`, `[!a-z]`, `{one,two}`, `\*`.

use std::iter::Peekable;
use std::mem;
use std::str::Chars;

/// A glob, as the steps of a matcher. It starts at the first step, and a match ends after the last one.
#[derive(Debug, Clone)]
pub(crate) struct Glob {
    steps: Vec<Step>,
}

#[derive(Debug, Clone)]
enum Step {
    /// Takes this character.
    Char(char),
    /// Takes any character.
    Any,
    /// Takes a character within (or outside) these ranges, which include both ends.
    Class { is_negated: bool, ranges: Vec<(char, char)> },
    /// Takes any number of characters.
    Star,
    /// Continues at each of these steps.
    Fork(Vec<usize>),
    /// Continues at this step.
    Jump(usize),
}

/// Why a text is not a glob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Mistake {
    #[error("unclosed character class; missing ']'")]
    UnclosedClass,
    #[error("invalid range; '{0}' > '{1}'")]
    Range(char, char),
    #[error("unopened alternate group; missing '{{' (maybe escape '}}' with '[}}]'?)")]
    UnopenedGroup,
    #[error("unclosed alternate group; missing '}}' (maybe escape '{{' with '[{{]'?)")]
    UnclosedGroup,
    #[error("dangling '\\'")]
    DanglingEscape,
}

/// The globs of a list: the parts between the commas that are outside braces.
pub(crate) fn globs(list: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    list.split(move |c: char| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
}

/// An open `{`.
struct Group {
    /// Its [`Step::Fork`].
    fork: usize,
    /// The first step of each alternative. The last alternative is still being read. Empty ones are left out.
    begins: Vec<usize>,
    /// The [`Step::Jump`] at the end of each alternative. It leads to the step after the group.
    jumps: Vec<usize>,
}

impl Group {
    /// Ends an alternative. `{a,}` means the same as `{a}`.
    fn end_alternative(&mut self, steps: &mut Vec<Step>) {
        if self.begins.last() == Some(&steps.len()) {
            self.begins.pop();
        } else {
            self.jumps.push(steps.len());
            steps.push(Step::Jump(0));
        }
    }

    fn close(mut self, steps: &mut Vec<Step>) {
        self.end_alternative(steps);
        if self.begins.is_empty() {
            steps.truncate(self.fork);
            return;
        }
        let behind = steps.len();
        self.jumps.into_iter().for_each(|jump| steps[jump] = Step::Jump(behind));
        steps[self.fork] = Step::Fork(self.begins);
    }
}

impl Glob {
    /// Reads a glob.
    ///
    /// # Errors
    /// The first mistake.
    pub fn new(text: &str) -> Result<Self, Mistake> {
        let mut steps = Vec::new();
        let mut groups: Vec<Group> = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '?' => steps.push(Step::Any),
                '*' => steps.push(Step::Star),
                '[' => steps.push(class(&mut chars)?),
                '\\' => steps.push(Step::Char(chars.next().ok_or(Mistake::DanglingEscape)?)),
                '{' => {
                    groups.push(Group { fork: steps.len(), begins: vec![steps.len() + 1], jumps: Vec::new() });
                    steps.push(Step::Fork(Vec::new()));
                }
                '}' => groups.pop().ok_or(Mistake::UnopenedGroup)?.close(&mut steps),
                ',' if !groups.is_empty() => {
                    let group = groups.last_mut().expect("it is not empty");
                    group.end_alternative(&mut steps);
                    group.begins.push(steps.len());
                }
                c => steps.push(Step::Char(c)),
            }
        }
        if groups.is_empty() { Ok(Glob { steps }) } else { Err(Mistake::UnclosedGroup) }
    }

    /// Whether it matches the whole text.
    pub fn matches(&self, text: &str) -> bool {
        // The matcher follows all reachable steps at once, so no pattern takes long.
        let mut here = Places::new(self);
        let mut next = Places::new(self);
        here.reach(0);
        for c in text.chars() {
            next.clear();
            for place in here.places.iter().copied() {
                match self.steps.get(place) {
                    Some(Step::Star) => next.reach(place),
                    Some(step) if step.takes(c) => next.reach(place + 1),
                    _ => {}
                }
            }
            mem::swap(&mut here, &mut next);
        }
        here.is_reached[self.steps.len()]
    }
}

impl Step {
    fn takes(&self, c: char) -> bool {
        match self {
            Step::Char(wanted) => *wanted == c,
            Step::Any => true,
            Step::Class { is_negated, ranges } => {
                ranges.iter().any(|(first, last)| (*first..=*last).contains(&c)) != *is_negated
            }
            Step::Star | Step::Fork(_) | Step::Jump(_) => false,
        }
    }
}

/// The steps that come next, after some of a text.
struct Places<'a> {
    steps: &'a [Step],
    places: Vec<usize>,
    /// One flag for each step, and one for the end.
    is_reached: Vec<bool>,
}

impl<'a> Places<'a> {
    fn new(glob: &'a Glob) -> Self {
        Places { steps: &glob.steps, places: Vec::new(), is_reached: vec![false; glob.steps.len() + 1] }
    }

    fn clear(&mut self) {
        self.places.drain(..).for_each(|place| self.is_reached[place] = false);
    }

    /// This step, and those that can be reached from it without a character.
    fn reach(&mut self, place: usize) {
        let mut open = vec![place];
        while let Some(place) = open.pop() {
            if mem::replace(&mut self.is_reached[place], true) {
                continue;
            }
            self.places.push(place);
            match self.steps.get(place) {
                Some(Step::Star) => open.push(place + 1),
                Some(Step::Fork(begins)) => open.extend(begins),
                Some(Step::Jump(to)) => open.push(*to),
                _ => {}
            }
        }
    }
}

/// Reads the rest of a class, after its `[`. A `]` or `-` that comes first stands for itself, and so does a `-` at the end.
fn class(chars: &mut Peekable<Chars<'_>>) -> Result<Step, Mistake> {
    let is_negated = chars.next_if(|c| matches!(c, '!' | '^')).is_some();
    let mut ranges: Vec<(char, char)> = Vec::new();
    let mut is_range = false;
    loop {
        match (chars.next().ok_or(Mistake::UnclosedClass)?, ranges.last_mut()) {
            (']', Some(_)) => break,
            ('-', Some(_)) if !is_range => is_range = true,
            (c, Some((first, last))) if is_range => {
                if c < *first {
                    return Err(Mistake::Range(*first, c));
                }
                *last = c;
                is_range = false;
            }
            (c, _) => ranges.push((c, c)),
        }
    }
    if is_range {
        ranges.push(('-', '-'));
    }
    Ok(Step::Class { is_negated, ranges })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_match(glob: &str, text: &str) -> bool {
        Glob::new(glob).unwrap().matches(text)
    }

    #[test]
    fn each_sign_means_what_the_help_says() {
        for (glob, matching, other) in [
            ("sched:*", "sched:sched_switch", "xsched:sched_switch"),
            ("*:sched_*", "sched:sched_switch", "sched:x_sched_switch"),
            ("**", "", "?"),
            ("a?c", "abc", "ac"),
            ("[a-c]", "b", "d"),
            ("[!a-c]", "d", "b"),
            ("[^a-c]", "d", "b"),
            ("[]a]", "]", "["),
            ("[-a]", "-", "b"),
            ("[a-]", "-", "b"),
            ("[a\\]]", "\\]", "]"),
            ("{irq,timer}:*", "timer:x", "sched:x"),
            ("{a,{b,c}d}", "cd", "c"),
            ("a{,b}", "ab", "a"),
            ("a{,{}}", "a", "ab"),
            ("a,b", "a,b", "a"),
            ("a\\*", "a*", "ab"),
            ("é?", "éß", "é"),
        ] {
            assert!(is_match(glob, matching), "{glob} matches {matching}");
            assert!(glob == "**" || !is_match(glob, other), "{glob} does not match {other}");
        }
    }

    #[test]
    fn mistakes_have_reasons() {
        for (glob, mistake) in [
            ("a[", "unclosed character class; missing ']'"),
            ("[]", "unclosed character class; missing ']'"),
            ("[b-a]", "invalid range; 'b' > 'a'"),
            ("a}", "unopened alternate group; missing '{' (maybe escape '}' with '[}]'?)"),
            ("{a", "unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?)"),
            ("a\\", "dangling '\\'"),
        ] {
            assert_eq!(Glob::new(glob).unwrap_err().to_string(), mistake);
        }
    }

    #[test]
    fn no_pattern_takes_long() {
        let stars = "*a".repeat(2_000);
        assert!(!is_match(&stars, &"a".repeat(1_000)));
        assert!(is_match(&format!("{}x{}", "{".repeat(10_000), "}".repeat(10_000)), "x"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// Earlier versions took the globs of globset. Without directories, both mean the same.
        #[test]
        fn globs_are_those_of_globset(glob in "[ab:_*?,!^\\\\\\[\\]{}-]{0,14}", texts in prop::collection::vec("[ab:_,!\\\\\\[\\]{}-]{0,6}", 8)) {
            prop_assume!(!glob.contains("**"));
            match (Glob::new(&glob), globset::Glob::new(&glob)) {
                (Ok(ours), Ok(theirs)) => {
                    let theirs = theirs.compile_matcher();
                    for text in &texts {
                        prop_assert_eq!(ours.matches(text), theirs.is_match(text), "{} over {}", glob, text);
                    }
                }
                (Err(ours), Err(theirs)) => prop_assert_eq!(ours.to_string(), theirs.kind().to_string()),
                (ours, theirs) => prop_assert!(false, "{}: {:?}, {:?}", glob, ours, theirs),
            }
        }
    }
}
