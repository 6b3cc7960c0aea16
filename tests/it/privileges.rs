//! The rights with which tp-perf works on files under sudo. `kernel::privileges` has those of captures.

use crate::common::report::{fixture, path};
use crate::common::sudo::{Homes, Rights, USER, by_sudo, errors, give};
use crate::common::{Test, nothing_more};
use crate::kernel::rig::eventually;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

pub const TESTS: &[Test] = &[
    ("all_files_belong_to_the_user_who_called_sudo", nothing_more, all_files_belong_to_the_user_who_called_sudo),
    (
        "a_link_in_the_middle_of_a_path_leads_only_where_the_user_may_write",
        nothing_more,
        a_link_in_the_middle_of_a_path_leads_only_where_the_user_may_write,
    ),
    ("a_source_of_root_is_not_read_for_the_user", nothing_more, a_source_of_root_is_not_read_for_the_user),
    ("a_reader_has_no_rights_of_root", nothing_more, a_reader_has_no_rights_of_root),
    ("variables_that_sudo_does_not_set_are_refused", nothing_more, variables_that_sudo_does_not_set_are_refused),
    (
        "an_ordinary_user_cannot_become_another_by_variables",
        nothing_more,
        an_ordinary_user_cannot_become_another_by_variables,
    ),
    (
        "a_program_file_with_the_set_user_id_bit_is_refused",
        nothing_more,
        a_program_file_with_the_set_user_id_bit_is_refused,
    ),
    ("root_itself_reads_the_files_of_others", nothing_more, root_itself_reads_the_files_of_others),
    ("the_browser_may_gain_rights", nothing_more, the_browser_may_gain_rights),
    ("a_command_that_only_prints_restricts_itself", has_landlock, a_command_that_only_prints_restricts_itself),
];

fn all_files_belong_to_the_user_who_called_sudo() {
    let homes = Homes::new();
    let idle = fixture("idle.perf.zst");
    let idle = path(&idle);
    homes.well(&["replay", "-q", idle, "-o", "rec"]);
    homes.well(&["report", "-q", idle, "--html", "page.html", "--plots", "plots"]);
    homes.well(&["learn", "idle", idle, "--window", "500ms", "--library", "deep/lib"]);
    fs::create_dir(homes.of_user.join("man")).unwrap();
    give(&homes.of_user.join("man"));
    homes.well(&["man", "--dir", "man"]);
    assert!(homes.all_is_the_users() > 20);
    homes.well(&["states", "remove", "idle", "--library", "deep/lib"]);
    assert!(!homes.of_user.join("deep/lib/idle").exists());
}

fn a_link_in_the_middle_of_a_path_leads_only_where_the_user_may_write() {
    let homes = Homes::new();
    symlink(&homes.of_root, homes.of_user.join("link")).unwrap();
    let idle = fixture("idle.perf.zst");
    let idle = path(&idle);
    for words in [
        &["replay", "-q", idle, "-o", "link/rec"][..],
        &["report", "-q", idle, "--html", "link/page.html"],
        &["report", "-q", idle, "--plots", "link/plots"],
        &["report", "-q", idle, "--plots", "link/deep/plots"],
        &["learn", "idle", idle, "--library", "link/lib"],
    ] {
        let said = homes.denied(words);
        assert!(said.contains("ermission denied"), "{words:?}: {said}");
    }
    // A link to a directory of the user is the user's own business.
    fs::create_dir(homes.of_user.join("real")).unwrap();
    give(&homes.of_user.join("real"));
    symlink(homes.of_user.join("real"), homes.of_user.join("own")).unwrap();
    std::os::unix::fs::lchown(homes.of_user.join("own"), Some(USER), Some(crate::common::sudo::GROUP)).unwrap();
    fs::remove_file(homes.of_user.join("link")).unwrap();
    homes.well(&["replay", "-q", idle, "-o", "own/rec"]);
    assert!(homes.all_is_the_users() >= 7);
}

fn a_source_of_root_is_not_read_for_the_user() {
    let homes = Homes::new();
    let secret = homes.of_root.join("rec.perf");
    fs::copy(fixture("idle.perf.zst"), &secret).unwrap();
    for command in ["report", "replay"] {
        let output = homes.command(&[command, path(&secret)]).output().unwrap();
        let said = errors(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        // The user's name depends on the machine.
        assert!(said.contains("; under sudo, tp-perf opens files with the rights of user `"), "{said}");
        let program = env!("CARGO_BIN_EXE_tp-perf");
        let line = format!("`sudo env -u SUDO_UID {program} {command} {}`", path(&secret));
        assert!(said.contains(&line), "{said}");
        // The fix works.
        let words = ["-u", "SUDO_UID", program, command, path(&secret)];
        let output = by_sudo(&mut Command::new("env")).args(words).current_dir(&homes.of_root).output().unwrap();
        assert!(output.status.success(), "{}", errors(&output));
    }
}

fn a_reader_has_no_rights_of_root() {
    let homes = Homes::new();
    for words in [&["replay", "-", "-o", "rec"][..], &["report", "-"], &["learn", "idle", "-", "--library", "l"]] {
        let mut command = homes.command(words);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        // More than a pipe holds: the write returns when tp-perf is reading.
        let _ = input.write_all(&long_log());
        for rights in Rights::of_threads(child.id()) {
            rights.are_the_users();
            rights.stay();
            assert!(rights.field("CapBnd").trim_matches('0').is_empty(), "{rights:?}");
        }
        drop(input);
        assert!(child.wait().unwrap().success());
    }
}

/// A log of more than 64 KiB.
fn long_log() -> Vec<u8> {
    let rows = (0..20_000u64).map(|row| format!("{},1,1,softirq_entry\n", row * 1_000_000));
    ["timestamp,tpid,gid,tracepoint name\n".to_owned()].into_iter().chain(rows).collect::<String>().into_bytes()
}

fn variables_that_sudo_does_not_set_are_refused() {
    let homes = Homes::new();
    let idle = fixture("idle.perf.zst");
    let numbers = [("", "1"), ("x", "1"), ("-1", "1"), ("4294967295", "1"), ("1 ", "1"), ("1", "x"), ("1", "-1")];
    for (user, group) in numbers {
        let mut command = homes.command(&["report", path(&idle)]);
        let output = command.env("SUDO_UID", user).env("SUDO_GID", group).output().unwrap();
        let said = errors(&output);
        assert_eq!(output.status.code(), Some(1), "{user} {group}: {said}");
        let name = if user == "1" { "SUDO_GID" } else { "SUDO_UID" };
        assert!(
            said.contains(&format!("`{name}` is not a valid number")) && said.contains("env -u SUDO_UID"),
            "{said}"
        );
    }
    let mut command = homes.command(&["report", path(&idle)]);
    let output = command.env_remove("SUDO_GID").output().unwrap();
    assert!(errors(&output).contains("`SUDO_GID` is not a valid number"), "{}", errors(&output));
}

fn an_ordinary_user_cannot_become_another_by_variables() {
    let homes = Homes::new();
    let program = program_for_all(&homes, 0o755);
    let mut command = Command::new(program);
    command.args(["report", "-q", "--example", "--html", "page.html"]).current_dir(&homes.of_user);
    let output = command.uid(USER).gid(USER).env("SUDO_UID", "0").env("SUDO_GID", "0").output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(fs::metadata(homes.of_user.join("page.html")).unwrap().uid(), USER);
}

fn a_program_file_with_the_set_user_id_bit_is_refused() {
    let homes = Homes::new();
    for mode in [0o4755, 0o2755] {
        let program = program_for_all(&homes, mode);
        let output = Command::new(&program).args(["report", "--example"]).uid(USER).gid(USER).output().unwrap();
        let said = errors(&output);
        assert!(output.status.code() == Some(1) && said.contains("set-user-ID"), "{mode:o}: {said}");
    }
}

/// A copy of the program, because the build directory may be closed to other users.
fn program_for_all(homes: &Homes, mode: u32) -> std::path::PathBuf {
    let program = homes.of_root.with_file_name(format!("tp-perf-{mode:o}"));
    fs::copy(env!("CARGO_BIN_EXE_tp-perf"), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
    program
}

fn root_itself_reads_the_files_of_others() {
    let homes = Homes::new();
    let file = homes.of_user.join("rec.perf");
    fs::copy(fixture("idle.perf.zst"), &file).unwrap();
    give(&file);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
    let output = command.arg("report").arg(&file).env_remove("SUDO_UID").output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
}

fn the_browser_may_gain_rights() {
    let homes = Homes::new();
    let browser = homes.of_user.join("browser");
    // The report may end before its browser.
    let script = "#!/bin/sh\ncat /proc/self/status > status.new; mv status.new status\n";
    fs::write(&browser, script).unwrap();
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
    command.args(["report", "-q", "--example", "--open"]).env("BROWSER", &browser).env_remove("SUDO_UID");
    let output = command.current_dir(&homes.of_user).output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    let status = homes.of_user.join("status");
    eventually("the browser has started", || status.exists());
    assert_eq!(Rights::parse(&fs::read_to_string(status).unwrap()).field("NoNewPrivs"), "0");
}

fn has_landlock() -> Result<(), String> {
    use nix::libc;
    const VERSION: libc::c_uint = 1;
    let none = std::ptr::null::<libc::c_void>();
    // SAFETY: with this flag, the kernel reads no memory.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0, VERSION) };
    if version > 0 { Ok(()) } else { Err("a kernel with Landlock".to_owned()) }
}

/// Kills a program that restricts itself with Landlock, so a test can see that it does.
fn deadly_landlock() -> std::io::Result<()> {
    use nix::libc;
    let code = |code: u32| code as u16;
    let filter = [
        // The number of the system call.
        libc::sock_filter { code: code(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS), jt: 0, jf: 0, k: 0 },
        libc::sock_filter {
            code: code(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K),
            jt: 0,
            jf: 1,
            k: libc::SYS_landlock_restrict_self as u32,
        },
        libc::sock_filter { code: code(libc::BPF_RET | libc::BPF_K), jt: 0, jf: 0, k: libc::SECCOMP_RET_KILL_PROCESS },
        libc::sock_filter { code: code(libc::BPF_RET | libc::BPF_K), jt: 0, jf: 0, k: libc::SECCOMP_RET_ALLOW },
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    // SAFETY: the kernel copies the filter, which lives during the call.
    match unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

fn a_command_that_only_prints_restricts_itself() {
    let homes = Homes::new();
    let idle = fixture("idle.perf.zst");
    let idle = path(&idle);
    let (restricted, free) = (true, false);
    for (words, expected) in [
        (&["report", idle][..], restricted),
        (&["report", idle, "--html", "-"], restricted),
        (&["report", idle, "--html", "page.html"], free),
        (&["report", idle, "--plots", "plots"], free),
        (&["replay", idle], restricted),
        (&["replay", idle, "-o", "-"], restricted),
        (&["replay", idle, "-o", "rec"], free),
        (&["learn", "idle", idle, "--window", "500ms", "--library", "lib"], free),
        (&["identify", idle, "--library", "lib"], restricted),
        (&["check", idle, "--against", "idle", "--library", "lib"], restricted),
        (&["states", "--library", "lib"], restricted),
        (&["states", "remove", "idle", "--library", "lib"], free),
        (&["completions", "bash"], restricted),
        (&["man"], restricted),
    ] {
        let mut command = homes.command(words);
        // SAFETY: the closure makes one system call, which is allowed between fork and exec.
        unsafe { command.pre_exec(deadly_landlock) };
        let output = command.output().unwrap();
        let was_killed = std::os::unix::process::ExitStatusExt::signal(&output.status) == Some(nix::libc::SIGSYS);
        assert_eq!(was_killed, expected, "{words:?}: {} {}", output.status, errors(&output));
        assert!(was_killed || output.status.success(), "{words:?}: {}", errors(&output));
    }
}
