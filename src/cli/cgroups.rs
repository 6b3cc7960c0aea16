//! The options that choose cgroups. Recordings, replays, and reports share them.

use crate::events::CgroupPattern;
use clap::Args;

/// The chosen cgroups.
#[derive(Debug, Args)]
pub(super) struct CgroupArgs {
    /// Take only these cgroups and those below them, as in `/system.slice` (separated by commas)
    ///
    /// A hit counts for the cgroup that its thread had at that time. With several of --cgroup, --unit, and --container, one must
    /// match.
    #[arg(long = "cgroup", hide_short_help = true, value_name = "PATH", value_delimiter = ',', value_parser = CgroupPattern::path)]
    paths: Vec<CgroupPattern>,
    /// Take only these units of systemd, as in `nginx` or `user.slice`
    #[arg(long = "unit", hide_short_help = true, value_name = "NAME", value_delimiter = ',', value_parser = CgroupPattern::unit)]
    units: Vec<CgroupPattern>,
    /// Take only the containers whose ids begin like this, as in `3f29ab`
    #[arg(long = "container", hide_short_help = true, value_name = "ID", value_delimiter = ',', value_parser = CgroupPattern::container)]
    containers: Vec<CgroupPattern>,
}

impl CgroupArgs {
    /// All of them.
    pub fn patterns(self) -> Vec<CgroupPattern> {
        [self.paths, self.units, self.containers].concat()
    }
}
