//! `tp-perf doctor`: what this machine allows, what a capture needs, and the cure for each shortfall.

use crate::cli::DoctorRequest;
use crate::engine::{descriptors_needed, expected_detach};
use crate::os::cpus::CpuList;
use crate::os::limits::{Capabilities, DescriptorLimit, sysctl};
use crate::os::process::page_size;
use crate::perf::sys;
use crate::spool::{DEFAULT_MEMORY, Keeping, expected_head, memory_needed};
use crate::tracefs::{Origin, Selection, Table, Tracefs};
use crate::units::{Bytes, Grouped, Seconds};
use anstyle::{AnsiColor, Style};
use nix::sys::resource::{Resource, getrlimit};
use std::io::{self, Write};

/// Kernel memory of one opened event in bytes, as measured on Linux 6.18.
const EVENT_MEMORY: u64 = 1_800;

/// What the machine has and allows.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The kernel's release.
    pub kernel: String,
    /// How tracefs was found and how many tracepoints it lists, or why not.
    pub tracefs: Result<(Origin, usize), String>,
    /// kernel.perf_event_paranoid, if the kernel has it.
    pub paranoid: Option<i64>,
    /// Effective capabilities.
    pub capabilities: Capabilities,
    /// What became of opening an event for all processes on a CPU.
    pub trial: Result<(), String>,
    /// RLIMIT_NOFILE and fs.nr_open.
    pub descriptors: DescriptorLimit,
    /// Bytes of rings per CPU that everybody may map: kernel.perf_event_mlock_kb.
    pub perf_mlock: Option<u64>,
    /// RLIMIT_MEMLOCK in bytes.
    pub memlock: u64,
    /// The CPUs online, and those chosen of them.
    pub online: CpuList,
    /// MemAvailable in bytes.
    pub memory: Option<u64>,
}

/// What a capture needs.
#[derive(Debug, Clone)]
pub struct Needs {
    /// Tracepoints chosen.
    pub tracepoints: usize,
    /// CPUs chosen.
    pub cpus: CpuList,
    /// Bytes of each CPU's ring.
    pub ring_size: usize,
}

/// One line of the diagnosis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// What is there, and what is needed of it.
    pub finding: String,
    /// What to do about it, and whether it keeps a capture from working.
    pub verdict: Verdict,
}

/// How a check came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Enough.
    Good,
    /// A capture works, with less; the cure.
    Less(String),
    /// A capture does not work; the cure.
    Bad(String),
}

/// Looks at the machine, prints the diagnosis, and gives whether a capture would work.
pub fn doctor(request: &DoctorRequest, out: &mut dyn Write) -> anyhow::Result<bool> {
    let tracefs = Tracefs::open().and_then(|tracefs| Ok((tracefs.origin(), Table::read(tracefs.root())?)));
    let online = CpuList::online()?;
    let needs = Needs {
        tracepoints: match &tracefs {
            Ok((_, table)) => Selection::choose(table, &request.selection)?.counts(table).0,
            Err(_) => 0,
        },
        cpus: request.cpus.clone().unwrap_or_else(|| online.clone()),
        ring_size: request.ring_size,
    };
    let tracefs = tracefs.map(|(origin, table)| (origin, table.tracepoints().len())).map_err(|error| error.to_string());
    let checks = diagnose(&Machine::look(tracefs, online), &needs);
    print(&checks, out)?;
    Ok(!checks.iter().any(|check| matches!(check.verdict, Verdict::Bad(_))))
}

impl Machine {
    fn look(tracefs: Result<(Origin, usize), String>, online: CpuList) -> Self {
        let number = |path| sysctl(path).and_then(|value| value.parse::<i64>().ok());
        Machine {
            kernel: crate::os::machine::kernel_release(),
            tracefs,
            paranoid: number("kernel/perf_event_paranoid"),
            capabilities: Capabilities::of_this_process(),
            trial: online.as_slice().first().map_or_else(
                || Err("no CPU is online".to_owned()),
                |cpu| sys::try_to_open(*cpu).map_err(|error| error.to_string()),
            ),
            descriptors: DescriptorLimit::read(),
            perf_mlock: number("kernel/perf_event_mlock_kb").map(|kilobytes| kilobytes.unsigned_abs() << 10),
            memlock: getrlimit(Resource::RLIMIT_MEMLOCK).map_or(0, |(soft, _)| soft),
            online,
            memory: crate::os::machine::available_memory(),
        }
    }
}

/// Compares what is needed with what is there.
pub fn diagnose(machine: &Machine, needs: &Needs) -> Vec<Check> {
    let mut checks = vec![kernel(machine), tracefs(machine), permission(machine), cpus(machine, needs)];
    if machine.tracefs.is_ok() {
        checks.extend([descriptors(machine, needs), rings(machine, needs), memory(machine, needs), detach(needs)]);
    }
    checks
}

fn kernel(machine: &Machine) -> Check {
    let verdict = match version(&machine.kernel) {
        Some(version) if version < (4, 1) => {
            Verdict::Bad("Linux 4.1 or later is needed: before, events cannot be stamped by a chosen clock".to_owned())
        }
        Some(version) if version < (6, 0) => {
            Verdict::Less("before Linux 6.0 losses are known per CPU only, not per tracepoint".to_owned())
        }
        _ => Verdict::Good,
    };
    Check { name: "kernel", finding: format!("Linux {}", machine.kernel), verdict }
}

fn tracefs(machine: &Machine) -> Check {
    let (finding, verdict) = match &machine.tracefs {
        Ok((origin, listed)) => {
            let how = match origin {
                Origin::Found => "is mounted",
                Origin::Detached => "is not mounted; tp-perf mounts it for itself alone, and leaves nothing behind",
                Origin::Plain => "is not mounted; tp-perf mounts it at /sys/kernel/tracing for the while",
            };
            (format!("{how}; lists {} tracepoints", Grouped(*listed as u64)), Verdict::Good)
        }
        Err(error) => ("cannot be read".to_owned(), Verdict::Bad(error.clone())),
    };
    Check { name: "tracefs", finding, verdict }
}

fn permission(machine: &Machine) -> Check {
    let paranoid = machine.paranoid.map_or("unknown".to_owned(), |value| value.to_string());
    let by = match (machine.capabilities.may_trace(), machine.paranoid) {
        (true, _) => "by capability",
        (false, Some(..=-1)) => "to everybody",
        (false, _) => "not by capability",
    };
    let (finding, verdict) = match &machine.trial {
        Ok(()) => (format!("allowed {by} (kernel.perf_event_paranoid is {paranoid})"), Verdict::Good),
        Err(error) => (
            format!("refused: {error} (kernel.perf_event_paranoid is {paranoid})"),
            Verdict::Bad(
                "run with sudo, or `sudo setcap cap_perfmon,cap_sys_resource,cap_ipc_lock+ep <path of tp-perf>`; in a container, \
                 perf_event_open must be allowed by its seccomp profile"
                    .to_owned(),
            ),
        ),
    };
    Check { name: "perf_event_open", finding, verdict }
}

fn cpus(machine: &Machine, needs: &Needs) -> Check {
    let missing = needs.cpus.without(&machine.online);
    let verdict = match missing.is_empty() {
        true => Verdict::Good,
        false => Verdict::Bad(format!("CPU {missing} is not online; choose among {} with --cpus", machine.online)),
    };
    Check { name: "CPUs", finding: format!("{} chosen, {} online", needs.cpus, machine.online), verdict }
}

fn descriptors(machine: &Machine, needs: &Needs) -> Check {
    let needed = descriptors_needed(needs.tracepoints, needs.cpus.len());
    let DescriptorLimit { soft, hard, nr_open } = machine.descriptors;
    let reachable = machine.descriptors.reachable(machine.capabilities);
    let finding = format!(
        "{} needed ({} tracepoints on {} CPUs); soft limit {}, hard {}, fs.nr_open {}",
        Grouped(needed),
        Grouped(needs.tracepoints as u64),
        needs.cpus.len(),
        Grouped(soft),
        Grouped(hard),
        Grouped(nr_open)
    );
    let verdict = if needed <= reachable {
        Verdict::Good
    } else if needed > nr_open {
        Verdict::Bad(format!(
            "`sudo sysctl fs.nr_open={needed}`, then `ulimit -n {needed}` as root; or fewer CPUs (--cpus) or tracepoints (-t, -x)"
        ))
    } else {
        Verdict::Bad(format!("`ulimit -n {needed}` as root, or sudo; or fewer CPUs (--cpus) or tracepoints (-t, -x)"))
    };
    Check { name: "descriptors", finding, verdict }
}

fn rings(machine: &Machine, needs: &Needs) -> Check {
    let cpus = needs.cpus.len() as u64;
    let each = (needs.ring_size + page_size()) as u64;
    let needed = each * cpus;
    let free_for_all = machine.perf_mlock.map_or(0, |bytes| bytes * machine.online.len() as u64);
    let allowed = free_for_all.saturating_add(machine.memlock);
    let unlimited = machine.capabilities.has(Capabilities::IPC_LOCK) || machine.paranoid.is_some_and(|value| value < 0);
    let limit = match unlimited {
        true => "no limit for this user".to_owned(),
        false => format!("{} allowed", Bytes(allowed)),
    };
    let mlock = machine.perf_mlock.map_or("unknown".to_owned(), |bytes| (bytes >> 10).to_string());
    let finding = format!(
        "{} needed ({} on each of {cpus} CPUs); {limit} (kernel.perf_event_mlock_kb is {mlock})",
        Bytes(needed),
        Bytes(needs.ring_size as u64)
    );
    let verdict = match unlimited || needed <= allowed {
        true => Verdict::Good,
        false => Verdict::Less(format!(
            "the rings will be smaller; run with sudo, or `sudo sysctl kernel.perf_event_mlock_kb={}`",
            each.div_ceil(1024)
        )),
    };
    Check { name: "ring memory", finding, verdict }
}

fn memory(machine: &Machine, needs: &Needs) -> Check {
    let cpus = needs.cpus.len() as u64;
    let events = needs.tracepoints as u64 * cpus;
    let rings = needs.ring_size as u64 * cpus;
    let keeping = Keeping { memory: DEFAULT_MEMORY, rings: needs.ring_size * needs.cpus.len(), compress: false };
    let spool = memory_needed(&keeping, expected_head(needs.tracepoints * needs.cpus.len())) as u64;
    let needed = events * EVENT_MEMORY + rings + spool;
    let available = machine.memory.map_or("unknown".to_owned(), |bytes| Bytes(bytes).to_string());
    let finding = format!(
        "up to {} needed ({} for {} events in the kernel, the rings, the spool); {available} available",
        Bytes(needed),
        Bytes(events * EVENT_MEMORY),
        Grouped(events),
    );
    let verdict = match machine.memory {
        Some(available) if available < needed => {
            Verdict::Less("smaller rings (--ring-size), fewer CPUs (--cpus) or tracepoints (-t, -x)".to_owned())
        }
        _ => Verdict::Good,
    };
    Check { name: "memory", finding, verdict }
}

fn detach(needs: &Needs) -> Check {
    let expected = Seconds(expected_detach(needs.tracepoints));
    let finding = format!("about {expected}, in the background after the capture is done");
    Check { name: "detach time", finding, verdict: Verdict::Good }
}

fn print(checks: &[Check], out: &mut dyn Write) -> io::Result<()> {
    let style = |color: AnsiColor| Style::new().bold().fg_color(Some(color.into()));
    for Check { name, finding, verdict } in checks {
        let (style, word, cure) = match verdict {
            Verdict::Good => (style(AnsiColor::Green), "ok", None),
            Verdict::Less(cure) => (style(AnsiColor::Yellow), "less", Some(cure)),
            Verdict::Bad(cure) => (style(AnsiColor::Red), "bad", Some(cure)),
        };
        writeln!(out, "{style}{word:<4}{style:#}  {name:<15}  {finding}")?;
        if let Some(cure) = cure {
            writeln!(out, "{:23}→ {cure}", "")?;
        }
    }
    let bad = checks.iter().filter(|check| matches!(check.verdict, Verdict::Bad(_))).count();
    match bad {
        0 => writeln!(out, "\nA capture works here: `sudo tp-perf --events 100000`"),
        1 => writeln!(out, "\nA capture does not work here until this is cured. {WITHOUT_CAPTURE}"),
        _ => writeln!(out, "\nA capture does not work here until these {bad} are cured. {WITHOUT_CAPTURE}"),
    }
}

/// What a newcomer can do where nothing can be traced.
const WITHOUT_CAPTURE: &str = "What it would show: `tp-perf replay --example`";

/// (major, minor) of a kernel's release.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine on which everything is allowed.
    fn machine() -> Machine {
        Machine {
            kernel: "6.18.0".to_owned(),
            tracefs: Ok((Origin::Found, 2307)),
            paranoid: Some(2),
            capabilities: Capabilities::in_status("CapEff: 000001ffffffffff"),
            trial: Ok(()),
            descriptors: DescriptorLimit { soft: 1024, hard: 524_288, nr_open: 1 << 20 },
            perf_mlock: Some(516 << 10),
            memlock: 8 << 20,
            online: "0-127".parse().unwrap(),
            memory: Some(64 << 30),
        }
    }

    fn needs() -> Needs {
        Needs { tracepoints: 1568, cpus: "0-1".parse().unwrap(), ring_size: 8 << 20 }
    }

    /// The cure of the check of this name, which must not be good.
    fn cure(name: &str, machine: &Machine, needs: &Needs) -> String {
        let checks = diagnose(machine, needs);
        let check = checks.iter().find(|check| check.name == name).unwrap();
        match &check.verdict {
            Verdict::Less(cure) | Verdict::Bad(cure) => cure.clone(),
            Verdict::Good => panic!("{name} is good: {}", check.finding),
        }
    }

    #[test]
    fn a_machine_that_allows_everything_is_good() {
        assert!(diagnose(&machine(), &needs()).iter().all(|check| check.verdict == Verdict::Good));
    }

    #[test]
    fn every_shortfall_comes_with_the_command_that_cures_it() {
        let nobody = Capabilities::in_status("");
        let many = Needs { cpus: "0-127".parse().unwrap(), ..needs() };
        let of = |change: fn(&mut Machine)| {
            let mut machine = machine();
            change(&mut machine);
            machine
        };
        let tracefs = of(|machine| machine.tracefs = Err("tracefs is not mounted".to_owned()));
        assert!(cure("tracefs", &tracefs, &needs()).contains("not mounted"));
        let refused = of(|machine| machine.trial = Err("Permission denied".to_owned()));
        assert!(cure("perf_event_open", &refused, &needs()).contains("sudo setcap cap_perfmon"));
        let old = of(|machine| machine.kernel = "5.15.0-58-generic".to_owned());
        assert!(cure("kernel", &old, &needs()).contains("before Linux 6.0"));
        let poor = of(|machine| machine.memory = Some(64 << 20));
        assert!(cure("memory", &poor, &needs()).contains("--ring-size"));
        let far = Needs { cpus: "500".parse().unwrap(), ..needs() };
        assert!(cure("CPUs", &machine(), &far).contains("--cpus"));

        let user = Machine { capabilities: nobody, online: "0-1".parse().unwrap(), ..machine() };
        assert!(
            cure("ring memory", &user, &needs()).contains("sysctl kernel.perf_event_mlock_kb=8196")
                || page_size() != 4096
        );
        let user = Machine { descriptors: DescriptorLimit { hard: 4096, ..user.descriptors }, ..user };
        assert!(cure("descriptors", &user, &many).contains("`ulimit -n 201792` as root"));
        let small = of(|machine| machine.descriptors.nr_open = 100_000);
        let cure_of_small = cure(
            "descriptors",
            &Machine { descriptors: DescriptorLimit { hard: 4096, ..small.descriptors }, ..small },
            &many,
        );
        assert!(cure_of_small.contains("sudo sysctl fs.nr_open=201792"), "{cure_of_small}");
    }
}
