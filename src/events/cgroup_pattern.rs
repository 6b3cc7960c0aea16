//! The choice of cgroups: by path, by unit of systemd, or by container.

use std::fmt;

/// The kinds of units whose cgroups systemd names after them.
const UNITS: [&str; 6] = [".service", ".scope", ".slice", ".socket", ".mount", ".swap"];

/// Chooses cgroups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CgroupPattern {
    /// The cgroup with this path, and those below it.
    Path(String),
    /// The cgroup of this unit of systemd, and those below it.
    Unit(String),
    /// The cgroup of the container whose id begins with this, and those below it.
    Container(String),
}

impl CgroupPattern {
    /// A path below the root of the hierarchy, as in `/system.slice`, or the path of the folder below `/sys/fs/cgroup`.
    pub fn path(path: &str) -> Result<Self, String> {
        let rest = match below(path, "/sys/fs/cgroup") {
            // With version 1 of cgroups, a folder per hierarchy follows.
            Some(rest) => ["/unified", "/perf_event"].iter().find_map(|folder| below(rest, folder)).unwrap_or(rest),
            None => path,
        };
        let rest = rest.trim_matches('/');
        match path.is_empty() {
            true => Err("write the path of a cgroup, as in `/system.slice`".to_owned()),
            false => Ok(CgroupPattern::Path(format!("/{rest}"))),
        }
    }

    /// The name of a unit. Without an ending, it is a service.
    pub fn unit(name: &str) -> Result<Self, String> {
        if name.is_empty() || name.contains('/') {
            return Err("write the name of a unit, as in `nginx.service`".to_owned());
        }
        let has_ending = UNITS.iter().any(|ending| name.ends_with(ending));
        Ok(CgroupPattern::Unit(if has_ending { name.to_owned() } else { format!("{name}.service") }))
    }

    /// The beginning of the id of a container.
    pub fn container(id: &str) -> Result<Self, String> {
        match !id.is_empty() && id.len() <= 64 && id.bytes().all(is_hexadecimal) {
            true => Ok(CgroupPattern::Container(id.to_owned())),
            false => {
                Err("write the id of a container, as `docker ps` prints it: hexadecimal digits, not a name".to_owned())
            }
        }
    }

    /// Whether it chooses the cgroup with this path.
    pub fn matches(&self, path: &str) -> bool {
        let mut names = path.split('/');
        match self {
            CgroupPattern::Path(above) => {
                let rest = path.strip_prefix(above.trim_end_matches('/'));
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
            CgroupPattern::Unit(unit) => names.any(|name| name == unit),
            CgroupPattern::Container(id) => names.filter_map(container_of).any(|of| of.starts_with(id.as_str())),
        }
    }
}

/// The rest of a path behind a folder, if it begins with it.
fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    path.strip_prefix(folder).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_hexadecimal(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// The id of the container in the name of a cgroup: `<id>`, `docker-<id>.scope`, `cri-containerd-<id>.scope`, `libpod-<id>`.
fn container_of(name: &str) -> Option<&str> {
    let name = name.strip_suffix(".scope").unwrap_or(name);
    let (runtime, id) = name.rsplit_once('-').unwrap_or(("", name));
    // conmon watches a container of Podman from outside.
    let is_inside = !runtime.ends_with("conmon");
    (is_inside && id.len() == 64 && id.bytes().all(is_hexadecimal)).then_some(id)
}

impl fmt::Display for CgroupPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CgroupPattern::Path(path) => write!(f, "cgroup {path}"),
            CgroupPattern::Unit(unit) => write!(f, "unit {unit}"),
            CgroupPattern::Container(id) => write!(f, "container {id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_chooses_what_is_below_it_and_no_other_name_with_the_same_begin() {
        for (pattern, path, chosen) in [
            ("/system.slice", "/system.slice", true),
            ("/system.slice/", "/system.slice/nginx.service", true),
            ("/sys/fs/cgroup/system.slice", "/system.slice/nginx.service", true),
            ("system.slice", "/system.slice", true),
            ("/sys/fs/cgroup/unified/system.slice", "/system.slice/a", true),
            ("/sys/fs/cgroup/perf_event/docker/1", "/docker/1", true),
            ("/sys/fs/cgroups", "/sys/fs/cgroups", true),
            ("/system.slice", "/system.slice2", false),
            ("/system.slice", "/user.slice/system.slice", false),
            ("/", "/user.slice", true),
            ("/", "/", true),
        ] {
            assert_eq!(CgroupPattern::path(pattern).unwrap().matches(path), chosen, "{pattern} {path}");
        }
        assert!(CgroupPattern::path("").is_err());
    }

    #[test]
    fn a_unit_is_a_name_on_the_path() {
        let unit = |name: &str| CgroupPattern::unit(name).unwrap();
        assert!(unit("nginx").matches("/system.slice/nginx.service"));
        assert!(unit("nginx.service").matches("/system.slice/nginx.service/worker"));
        assert!(unit("user.slice").matches("/user.slice/user-0.slice/session-1.scope"));
        assert!(!unit("nginx").matches("/system.slice/nginx.service.d"));
        assert!(CgroupPattern::unit("a/b").is_err() && CgroupPattern::unit("").is_err());
    }

    #[test]
    fn a_container_is_found_by_the_begin_of_its_id() {
        let id = "0123456789abcdef".repeat(4);
        let container = CgroupPattern::container("0123456789ab").unwrap();
        for path in [
            format!("/docker/{id}"),
            format!("/system.slice/docker-{id}.scope"),
            format!("/kubepods.slice/kubepods-pod7.slice/cri-containerd-{id}.scope"),
            format!("/machine.slice/libpod-{id}.scope/container"),
        ] {
            assert!(container.matches(&path), "{path}");
        }
        assert!(!container.matches(&format!("/machine.slice/libpod-conmon-{id}.scope")));
        assert!(!container.matches("/docker/0123456789ab"), "an id has 64 digits");
        assert!(!CgroupPattern::container("1").unwrap().matches(&format!("/docker/{id}")));
        for name in ["", "web", "ABC"] {
            assert!(CgroupPattern::container(name).unwrap_err().contains("not a name"), "{name}");
        }
    }
}
