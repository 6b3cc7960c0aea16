//! The results of a check in sentences.

use super::{Check, Episode, Finding, FindingKind};
use crate::state::deviation::DeviationKind;
use crate::state::identify::Identification;
use crate::state::{Deviation, GroupDeviation};
use crate::units::{Plural, Rate, Seconds, Share};

/// How many tracepoints a finding about a composition names.
const REASONS: usize = 3;
/// How many episodes a headline has, and how many groups of a kind.
const EPISODES: usize = 2;
const GROUPS: usize = 3;

/// The limits of a check, in sentences.
pub fn said_beside(check: &Check) -> Vec<String> {
    let mut said = Vec::new();
    let coverage = check.identification.coverage;
    if coverage < 1.0 {
        said.push(format!(
            "only {} of the source's events belong to tracepoints that all sessions captured; the rest were not checked",
            Share(coverage)
        ));
    }
    if !check.identification.states.know_spread() {
        said.push(
            "the library does not show how much sessions of one state differ, so only single tracepoints were checked; learn more \
             sessions"
                .to_owned(),
        );
    }
    let behind = check.identification.windows.len() % check.block;
    if behind > 0 {
        said.push(format!(
            "the last {} a block and {} not checked by tracepoint",
            match behind {
                1 => "window does not fill".to_owned(),
                number => format!("{number} windows do not fill"),
            },
            if behind == 1 { "was" } else { "were" }
        ));
    }
    if check.lossy > 0 {
        said.push(format!("{} lost too many events to be checked", Plural(check.lossy as u64, "block")));
    }
    for (state, span) in &check.brief {
        said.push(format!(
            "all sessions of {state} were recorded within {}. Work that is rarer than that was not learned and may raise an alarm; \
             learn the state at other times too",
            Seconds(*span)
        ));
    }
    said
}

impl Check {
    /// The result in a few words: what the source looks like since when, and what is new, gone, or different.
    pub fn headline(&self) -> String {
        let identification = &self.identification;
        if self.episodes.is_empty() {
            return "as learned".to_owned();
        }
        // The last episodes show the state now.
        let earlier = self.episodes.len().saturating_sub(EPISODES);
        let episodes = &self.episodes[earlier..];
        let mut parts: Vec<String> = episodes.iter().filter_map(|episode| episode.looks(identification)).collect();
        if earlier > 0 {
            parts.push(Plural(earlier as u64, "earlier episode").to_string());
        }
        let of_kind = |kind: DeviationKind| {
            let mut groups: Vec<&GroupDeviation> =
                episodes.iter().flat_map(|episode| &episode.groups).filter(|group| group.kind == kind).collect();
            groups.sort_by(|a, b| b.part.total_cmp(&a.part));
            groups
        };
        let [new, gone, more, less] =
            [DeviationKind::New, DeviationKind::Gone, DeviationKind::More, DeviationKind::Less].map(of_kind);
        parts.extend(named("new", &new, GroupDeviation::name));
        parts.extend(named("gone", &gone, GroupDeviation::name));
        // The rates of another known state are known too.
        if !episodes.iter().any(Episode::is_other_state) {
            let with_factor = |group: &GroupDeviation| format!("{} {}", group.name(), group.factor());
            parts.extend(named("more", &more, with_factor));
            parts.extend(named("less", &less, with_factor));
        }
        match parts.is_empty() {
            true => "not as learned".to_owned(),
            false => parts.join("; "),
        }
    }
}

/// The groups after this word. Each is named once.
fn named(word: &str, groups: &[&GroupDeviation], name: impl Fn(&GroupDeviation) -> String) -> Option<String> {
    let mut names: Vec<String> = Vec::new();
    for name in groups.iter().map(|group| name(group)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let more = names.len().saturating_sub(GROUPS);
    names.truncate(GROUPS);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    (!names.is_empty()).then(|| format!("{word}: {}{more}", names.join(", ")))
}

impl Episode {
    /// When it is: `since 9.0 s` if it lasts to the end of the source, otherwise `from 9.0 to 20.0 s`.
    pub fn when(&self, identification: &Identification) -> String {
        let seconds = |window: usize| identification.seconds_since(window);
        match (self.from, self.to == identification.windows.len()) {
            // It may have begun before the source.
            (0, true) => "since the start".to_owned(),
            (0, false) => format!("from the start to {} s", seconds(self.to)),
            (from, true) => format!("since {} s", seconds(from)),
            (from, false) => format!("from {} to {} s", seconds(from), seconds(self.to)),
        }
    }

    /// Whether it looks like other states of the library, and not like its own. If only single tracepoints deviate, the source
    /// may look like its own.
    fn is_other_state(&self) -> bool {
        !self.looks_like.is_empty() && !self.looks_like.contains(&self.state)
    }

    /// What it looks like, and since when. `None` if too few windows were usable.
    fn looks(&self, identification: &Identification) -> Option<String> {
        let (when, lasts) = (self.when(identification), self.to == identification.windows.len());
        Some(match (&self.looks_like[..], self.nearest.as_ref()?) {
            _ if self.distance.is_none() && !self.looks_like.contains(&self.state) => {
                format!("single tracepoints {} not as in {} {when}", if lasts { "are" } else { "were" }, self.state)
            }
            ([], nearest) => {
                let is = if lasts { "is" } else { "was" };
                format!("no state of the library {is} near {when} (nearest: {nearest})")
            }
            (states, _) if !self.is_other_state() => format!("looks like {}, with changes {when}", states.join(" or ")),
            (states, _) => {
                let looks = if lasts { "looks" } else { "looked" };
                format!("{looks} like {} {when}", states.join(" or "))
            }
        })
    }

    /// When it is, what it looks like, the state that it deviates from, and how far.
    pub fn title(&self, identification: &Identification) -> String {
        let when = self.when(identification);
        let Some(distance) = self.distance else {
            return format!("{when}: single tracepoints are not as in {}", self.state);
        };
        let like = match &self.looks_like[..] {
            [] => "no state of the library".to_owned(),
            states => states.join(" or "),
        };
        format!("{when}, like {like}: {distance:.1} times as far from {} as its sessions usually are", self.state)
    }
}

impl Finding {
    /// The finding in a sentence.
    pub fn sentence(&self, check: &Check) -> String {
        let since = |window: usize| check.identification.seconds_since(window);
        let when = format!("from {} to {} s", since(self.from), since(self.to));
        let what = self.tracepoint.as_deref().unwrap_or("all");
        let rate = |value: f64| format!("{}/s", Rate(value));
        let share = |value: f64| Share(value).to_string();
        let (text, value): (_, &dyn Fn(f64) -> String) = match self.kind {
            FindingKind::Composition => {
                let looks = match (&self.looks_like, &self.nearest) {
                    (Some(state), _) => format!("looks like {state}; "),
                    (None, Some(nearest)) => format!("no state of the library is near (nearest: {nearest}); "),
                    (None, None) => String::new(),
                };
                let deviations = Deviation::of_reasons(&self.because, &(self.from..self.to));
                let because = deviations.iter().take(REASONS);
                let because: Vec<String> =
                    because.map(|deviation| format!("{} {}", deviation.tracepoint, deviation.factor())).collect();
                return format!(
                    "{when}: {looks}{:.1} times as far from {} as its sessions usually are: {}",
                    self.here,
                    self.state,
                    because.join(", ")
                );
            }
            FindingKind::New => ("new, ", &rate),
            FindingKind::Vanished => ("gone, ", &rate),
            FindingKind::Rate => ("rate ", &rate),
            FindingKind::Share => ("share ", &share),
        };
        let learned = self.learned.map_or_else(String::new, |[lowest, mean, highest]| {
            format!("; learned for {}: {} ({} to {})", self.state, value(mean), value(lowest), value(highest))
        });
        format!("{what} {when}: {text}{}{learned}", value(self.here))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::testing::{SECOND, drawn, learned};
    use crate::state::{Known, Length};

    const IDLE: [u64; 4] = [70, 20, 10, 0];
    const WEB: [u64; 4] = [10, 30, 60, 0];

    /// The check of a source with these stretches, against `idle`. The library has `web` too.
    fn check(stretches: &[(usize, [u64; 4])]) -> Check {
        let mut random = fastrand::Rng::with_seed(41);
        let states = vec![learned(&mut random, "idle", IDLE, 4), learned(&mut random, "web", WEB, 4)];
        let known = Known::of(states, Some(Length::Ns(SECOND))).unwrap();
        Check::of(&drawn(&mut random, stretches, 500), known, &["idle".to_owned()], 0.02, 100.0).unwrap()
    }

    #[test]
    fn the_headline_names_the_state_of_the_whole_library_and_its_begin() {
        for (stretches, headline) in [
            (&[(40, IDLE)][..], "as learned"),
            (&[(14, IDLE), (66, WEB)], "looks like web since 14.0 s"),
            (&[(40, WEB)], "looks like web since the start"),
            (&[(23, WEB), (20, IDLE)], "looked like web from the start to 23.0 s"),
            (&[(14, IDLE), (23, WEB), (20, IDLE)], "looked like web from 14.0 to 37.0 s"),
            (
                &[(14, IDLE), (21, [20, 70, 5, 5])],
                "no state of the library is near since 14.0 s (nearest: web); new: c:rare; more: a:y 3.48×; less: a:x 0.28×, b:z \
                 0.52×",
            ),
        ] {
            let check = check(stretches);
            assert_eq!(check.headline(), headline, "{:#?}", check.episodes);
            assert!(check.episodes.len() < 2, "all findings have one cause: {:#?}", check.episodes);
        }
    }

    #[test]
    fn no_episode_has_two_states() {
        let check = check(&[(10, IDLE), (12, WEB), (9, [20, 70, 5, 5]), (10, IDLE)]);
        let of = |episode: &Episode| (episode.from, episode.to, episode.looks_like.join(" "));
        assert_eq!(
            check.episodes.iter().map(of).collect::<Vec<_>>(),
            [(10, 22, "web".to_owned()), (22, 31, String::new())]
        );
        let headline = check.headline();
        assert!(
            headline.starts_with(
                "looked like web from 10.0 to 22.0 s; no state of the library was near from 22.0 to 31.0 s"
            ),
            "{headline}"
        );
    }

    #[test]
    fn an_episode_has_the_tracepoints_of_all_its_findings() {
        let check = check(&[(14, IDLE), (66, WEB)]);
        let [episode] = &check.episodes[..] else { panic!("{:#?}", check.episodes) };
        let kinds: Vec<_> = check.findings.iter().map(|finding| finding.kind).collect();
        assert!(kinds.contains(&FindingKind::Composition) && kinds.contains(&FindingKind::Rate), "{kinds:?}");
        assert_eq!((episode.from, episode.to, episode.looks_like.join(" ").as_str()), (14, 80, "web"));
        let names: Vec<String> = episode.groups.iter().map(GroupDeviation::name).collect();
        assert_eq!(names.len(), 3, "each tracepoint is named once: {names:?}");
        let composition = &check.findings[0];
        assert_eq!((composition.looks_like.as_deref(), composition.nearest.as_deref()), (Some("web"), Some("web")));
        assert_eq!(
            episode.title(&check.identification),
            format!(
                "since 14.0 s, like web: {:.1} times as far from idle as its sessions usually are",
                composition.here
            )
        );
    }

    /// Single tracepoints can deviate while the windows as a whole are as learned.
    #[test]
    fn a_source_can_be_in_its_state_and_have_changes() {
        let mut check = check(&[(14, IDLE), (70, [67, 20, 13, 0])]);
        let episode = &mut check.episodes[0];
        (episode.looks_like, episode.distance) = (vec!["idle".to_owned()], None);
        assert_eq!(check.headline(), "looks like idle, with changes since 14.0 s; more: b:z 1.31×");
        let title = check.episodes[0].title(&check.identification);
        assert_eq!(title, "since 14.0 s: single tracepoints are not as in idle");
    }
}
