//! Compares what this machine provides with what a capture needs, and gives a fix for each shortfall.
//! `tp-perf doctor` prints the result.
//!
//! ```text
//!  this machine ──> Machine ──┐
//!                             ├──> diagnose ──> one Diagnosis per subject
//!  a selection  ──> Needs  ───┘
//! ```

mod machine;

pub use machine::{Error, Machine, Needs, examine};

use crate::engine::{descriptors_needed, expected_detach};
use crate::os::cgroups::Hierarchy;
use crate::os::limits::{Capabilities, DescriptorLimit};
use crate::os::process::page_size;
use crate::spool::{Keeping, expected_head, memory_needed};
use crate::tracefs::Origin;
use crate::units::{Bytes, Grouped, Plural, Seconds, Share};

/// The kernel memory of one opened event in bytes, as measured on Linux 6.18.
const EVENT_MEMORY: u64 = 1_800;

/// The state of one subject, for one line of output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// The subject.
    pub name: &'static str,
    /// What the machine provides, and what the capture needs.
    pub finding: String,
    /// Whether that is enough, and the fix if it is not.
    pub health: Health,
}

/// Whether the machine provides enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Ok,
    /// A capture works, but with a restriction. The text has the fix.
    Warn(String),
    /// A capture does not work. The text has the fix.
    Fail(String),
}

impl Diagnosis {
    /// Whether it prevents a capture.
    pub fn is_fail(&self) -> bool {
        matches!(self.health, Health::Fail(_))
    }
}

/// Compares the needs of a capture with the machine.
pub fn diagnose(machine: &Machine, needs: &Needs) -> Vec<Diagnosis> {
    let mut diagnoses = vec![kernel(machine), tracefs(machine), permission(machine), cpus(machine, needs)];
    if machine.tracefs.is_ok() {
        diagnoses.extend([descriptors(machine, needs), rings(machine, needs), memory(machine, needs), detach(needs)]);
        diagnoses.extend(machine.trial.is_ok().then(|| cgroups(machine)));
        diagnoses.push(privileges(machine));
        diagnoses.extend(machine.costs.map(|costs| cost(machine, costs)));
    }
    diagnoses
}

fn kernel(machine: &Machine) -> Diagnosis {
    let health = match version(&machine.kernel) {
        Some(version) if version < (4, 1) => Health::Fail(
            "tp-perf needs Linux 4.1 or later; older kernels cannot timestamp events with a chosen clock".to_owned(),
        ),
        Some(version) if version < (6, 0) => {
            Health::Warn("kernels before Linux 6.0 report losses per CPU, not per tracepoint".to_owned())
        }
        _ => Health::Ok,
    };
    Diagnosis { name: "kernel", finding: format!("Linux {}", machine.kernel), health }
}

fn tracefs(machine: &Machine) -> Diagnosis {
    let (finding, health) = match &machine.tracefs {
        Ok((origin, listed)) => {
            let how = match origin {
                Origin::Found => "mounted",
                Origin::Detached => "not mounted; tp-perf mounts it privately and leaves nothing behind",
                Origin::Plain => "not mounted; tp-perf mounts it at /sys/kernel/tracing while it reads the list",
            };
            (format!("{how}; {} tracepoints", Grouped(*listed as u64)), Health::Ok)
        }
        Err(error) => ("cannot be read".to_owned(), Health::Fail(error.clone())),
    };
    Diagnosis { name: "tracefs", finding, health }
}

fn permission(machine: &Machine) -> Diagnosis {
    let paranoid = machine.paranoid.map_or("unknown".to_owned(), |value| value.to_string());
    let by = match (machine.capabilities.may_trace(), machine.paranoid) {
        (true, _) => " by capability",
        (false, Some(..=-1)) => " for all users",
        (false, _) => ", although tp-perf has no capability for it",
    };
    let (finding, health) = match &machine.trial {
        Ok(()) => (format!("allowed{by} (kernel.perf_event_paranoid is {paranoid})"), Health::Ok),
        Err(error) => (
            format!("refused: {error} (kernel.perf_event_paranoid is {paranoid})"),
            Health::Fail(
                "run with sudo, or run `sudo setcap cap_perfmon,cap_sys_resource,cap_ipc_lock+ep <path of tp-perf>` once; in a \
                 container, the seccomp profile must allow perf_event_open"
                    .to_owned(),
            ),
        ),
    };
    Diagnosis { name: "perf_event_open", finding, health }
}

/// What tp-perf may still do once it has attached.
fn privileges(machine: &Machine) -> Diagnosis {
    let files = machine.landlock.map(|version| format!("change files outside its folders (Landlock {version})"));
    let calls = machine.seccomp.then(|| "make system calls that it does not need (seccomp)".to_owned());
    let forbidden: Vec<String> = files.into_iter().chain(calls).collect();
    let kept = "after attaching, a capture keeps no capability, and a monitor keeps CAP_PERFMON";
    let finding = match forbidden.is_empty() {
        true => {
            format!("{kept}; this kernel has neither Landlock nor seccomp, so a monitor cannot restrict itself further")
        }
        false => format!("{kept}; without --on-alarm, a monitor cannot {}", forbidden.join(" or ")),
    };
    Diagnosis { name: "privileges", finding, health: Health::Ok }
}

fn cpus(machine: &Machine, needs: &Needs) -> Diagnosis {
    let missing = needs.cpus.without(&machine.online);
    let health = match missing.is_empty() {
        true => Health::Ok,
        false => Health::Fail(format!("CPU {missing} is not online; choose from {} with --cpus", machine.online)),
    };
    Diagnosis { name: "CPUs", finding: format!("{} selected, {} online", needs.cpus, machine.online), health }
}

fn descriptors(machine: &Machine, needs: &Needs) -> Diagnosis {
    let needed = descriptors_needed(needs.tracepoints, needs.cpus.len());
    let DescriptorLimit { soft, hard, nr_open } = machine.descriptors;
    let reachable = machine.descriptors.reachable(machine.capabilities);
    let finding = format!(
        "{} needed ({} tracepoints on {} CPUs); soft limit {}, hard limit {}, fs.nr_open {}",
        Grouped(needed),
        Grouped(needs.tracepoints as u64),
        needs.cpus.len(),
        Grouped(soft),
        Grouped(hard),
        Grouped(nr_open)
    );
    let health = if needed <= reachable {
        Health::Ok
    } else if needed > nr_open {
        Health::Fail(format!(
            "run `sudo sysctl fs.nr_open={needed}`, then `ulimit -n {needed}` as root; or capture fewer CPUs (--cpus) or \
             tracepoints (-t, -x)"
        ))
    } else {
        Health::Fail(format!(
            "run with sudo, or run `ulimit -n {needed}` as root; or capture fewer CPUs (--cpus) or tracepoints (-t, -x)"
        ))
    };
    Diagnosis { name: "descriptors", finding, health }
}

fn rings(machine: &Machine, needs: &Needs) -> Diagnosis {
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
    let health = match unlimited || needed <= allowed {
        true => Health::Ok,
        false => Health::Warn(format!(
            "the rings will be smaller, unless you run with sudo or run `sudo sysctl kernel.perf_event_mlock_kb={}`",
            each.div_ceil(1024)
        )),
    };
    Diagnosis { name: "ring memory", finding, health }
}

fn memory(machine: &Machine, needs: &Needs) -> Diagnosis {
    let cpus = needs.cpus.len() as u64;
    let events = needs.tracepoints as u64 * cpus;
    let rings = needs.ring_size as u64 * cpus;
    let keeping = Keeping::within(machine.memory, needs.ring_size * needs.cpus.len(), false);
    let spool = memory_needed(&keeping, expected_head(needs.tracepoints * needs.cpus.len())) as u64;
    let needed = events * EVENT_MEMORY + rings + spool;
    let available = machine.memory.map_or("unknown".to_owned(), |bytes| Bytes(bytes).to_string());
    let finding = format!(
        "up to {} needed ({} for {} events in the kernel, plus the rings and the spool); {available} available",
        Bytes(needed),
        Bytes(events * EVENT_MEMORY),
        Grouped(events),
    );
    let health = match machine.memory {
        Some(available) if available < needed => Health::Warn(
            "use smaller rings (--ring-size), fewer CPUs (--cpus), or fewer tracepoints (-t, -x)".to_owned(),
        ),
        _ => Health::Ok,
    };
    Diagnosis { name: "memory", finding, health }
}

fn detach(needs: &Needs) -> Diagnosis {
    let expected = Seconds(expected_detach(needs.tracepoints));
    let finding = format!("about {expected}, in the background after the capture");
    Diagnosis { name: "detach time", finding, health: Health::Ok }
}

/// Whether the hits of some processes can be chosen by their cgroup. Choosing them by number or name needs nothing more.
fn cgroups(machine: &Machine) -> Diagnosis {
    let warn =
        |text: &str| Health::Warn(format!("--with cgroup, --cgroup, --unit, and --container do not work: {text}"));
    let (finding, health) = match (machine.samples_cgroups, &machine.cgroups) {
        (true, Some((Hierarchy { version, mount: Some(mount) }, number))) => {
            let units = match version {
                1 => "; containers are there, but usually not the units of systemd (--unit)",
                _ => "",
            };
            let cgroups = Plural(*number as u64, "cgroup");
            (format!("version {version}, mounted at {}, with {cgroups}{units}", mount.display()), Health::Ok)
        }
        (true, Some((Hierarchy { version, mount: None }, _))) => {
            let mount = match version {
                1 => {
                    "mkdir -p /sys/fs/cgroup/perf_event && sudo mount -t cgroup -o perf_event none /sys/fs/cgroup/perf_event"
                }
                _ => "mount -t cgroup2 none /sys/fs/cgroup",
            };
            (format!("version {version}, not mounted"), warn(&format!("run `sudo {mount}`")))
        }
        _ => ("not in samples".to_owned(), warn("the kernel must be Linux 5.7 or later, with CONFIG_CGROUP_PERF")),
    };
    Diagnosis { name: "cgroups", finding, health }
}

/// What each way to watch costs on this machine.
fn cost(machine: &Machine, (counted, recorded): (f64, f64)) -> Diagnosis {
    /// An idle machine has a few thousand hits a second, and a kernel build has about a million.
    const HITS: f64 = 100_000.0;
    let cpus = machine.online.len().max(1) as f64;
    let part = |ns: f64| Share(HITS * ns / 1e9 / cpus);
    let finding = format!(
        "a hit costs {recorded:.0} ns if it is recorded, and {counted:.0} ns if it is counted. Recording 100,000 hits a second \
         takes about {} of all CPUs; counting them takes {}. `tp-perf count -d 1s` shows how many there are, and \
         `--budget 1%` limits the cost",
        part(recorded),
        part(counted)
    );
    Diagnosis { name: "cost", finding, health: Health::Ok }
}

/// The major and the minor version in a kernel's release.
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
            samples_cgroups: true,
            cgroups: Some((Hierarchy { version: 2, mount: Some("/sys/fs/cgroup".into()) }, 80)),
            descriptors: DescriptorLimit { soft: 1024, hard: 524_288, nr_open: 1 << 20 },
            perf_mlock: Some(516 << 10),
            memlock: 8 << 20,
            online: "0-127".parse().unwrap(),
            memory: Some(64 << 30),
            landlock: Some(7),
            seccomp: true,
            costs: Some((130.4, 612.7)),
        }
    }

    fn needs() -> Needs {
        Needs { tracepoints: 1568, cpus: "0-1".parse().unwrap(), ring_size: 8 << 20 }
    }

    /// The fix for this subject, which must have one.
    fn fix(name: &str, machine: &Machine, needs: &Needs) -> String {
        let diagnoses = diagnose(machine, needs);
        let diagnosis = diagnoses.iter().find(|diagnosis| diagnosis.name == name).unwrap();
        match &diagnosis.health {
            Health::Warn(fix) | Health::Fail(fix) => fix.clone(),
            Health::Ok => panic!("{name} is ok: {}", diagnosis.finding),
        }
    }

    #[test]
    fn a_machine_that_allows_everything_is_ok() {
        assert!(diagnose(&machine(), &needs()).iter().all(|diagnosis| diagnosis.health == Health::Ok));
    }

    #[test]
    fn every_shortfall_comes_with_the_command_that_fixes_it() {
        let nobody = Capabilities::in_status("");
        let many = Needs { cpus: "0-127".parse().unwrap(), ..needs() };
        let of = |change: fn(&mut Machine)| {
            let mut machine = machine();
            change(&mut machine);
            machine
        };
        let tracefs = of(|machine| machine.tracefs = Err("tracefs is not mounted".to_owned()));
        assert!(fix("tracefs", &tracefs, &needs()).contains("not mounted"));
        let refused = of(|machine| machine.trial = Err("Permission denied".to_owned()));
        assert!(fix("perf_event_open", &refused, &needs()).contains("sudo setcap cap_perfmon"));
        let old = of(|machine| machine.kernel = "5.15.0-58-generic".to_owned());
        assert!(fix("kernel", &old, &needs()).contains("before Linux 6.0"));
        let without = of(|machine| machine.samples_cgroups = false);
        assert!(fix("cgroups", &without, &needs()).contains("CONFIG_CGROUP_PERF"));
        let unmounted = of(|machine| machine.cgroups = Some((Hierarchy { version: 2, mount: None }, 0)));
        assert!(fix("cgroups", &unmounted, &needs()).contains("sudo mount -t cgroup2"));
        let poor = of(|machine| machine.memory = Some(64 << 20));
        assert!(fix("memory", &poor, &needs()).contains("--ring-size"));
        let far = Needs { cpus: "500".parse().unwrap(), ..needs() };
        assert!(fix("CPUs", &machine(), &far).contains("--cpus"));

        let user = Machine { capabilities: nobody, online: "0-1".parse().unwrap(), ..machine() };
        assert!(
            fix("ring memory", &user, &needs()).contains("sysctl kernel.perf_event_mlock_kb=8196")
                || page_size() != 4096
        );
        let user = Machine { descriptors: DescriptorLimit { hard: 4096, ..user.descriptors }, ..user };
        assert!(fix("descriptors", &user, &many).contains("`ulimit -n 201856` as root"));
        let small = of(|machine| machine.descriptors.nr_open = 100_000);
        let fix_of_small = fix(
            "descriptors",
            &Machine { descriptors: DescriptorLimit { hard: 4096, ..small.descriptors }, ..small },
            &many,
        );
        assert!(fix_of_small.contains("sudo sysctl fs.nr_open=201856"), "{fix_of_small}");
    }
}
