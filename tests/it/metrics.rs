//! The metrics of `monitor`, checked by a real Prometheus and by promtool.

use crate::common::{Needs, Test, nothing_more};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tp_perf::events::{Cpu, Estimated, Event, EventTap, Ns, Partly, Rung, Sink, Slot, Tick, Tpid};
use tp_perf::metrics::{
    AlarmFigures, FlightAnswer, FlightFigures, Metrics, MetricsFormat, MetricsOptions, MetricsServer, RequestAnswers,
    ServerAddress, ServerFigures, USUAL_SERIES, WrittenHistory,
};
use tp_perf::processes::{CountBy, HitTotals};
use tp_perf::tracefs::{Selection, Status, Table};

pub const TESTS: &[Test] = &[
    ("the_page_and_the_shipped_files_name_the_metrics_that_there_are", nothing_more, names),
    ("promtool_accepts_the_metrics", HAS_PROMETHEUS, promtool_metrics),
    ("promtool_accepts_the_alert_rules_and_they_fire_when_they_should", HAS_PROMETHEUS, promtool_rules),
    ("prometheus_scrapes_exact_sums_and_understands_the_dashboard", HAS_PROMETHEUS, prometheus),
];

const HAS_PROMETHEUS: Needs = || {
    let runs = |program: &str| Command::new(program).arg("--version").output().is_ok();
    let runs = ["prometheus", "promtool"].into_iter().all(runs);
    runs.then_some(()).ok_or_else(|| "prometheus (apt-get install prometheus)".to_owned())
};

/// The longest wait for Prometheus, which usually needs a few seconds.
const PATIENCE: Duration = Duration::from_secs(120);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn shipped(name: &str) -> PathBuf {
    root().join("packaging/monitor").join(name)
}

/// Tracepoints with names that the kernel would refuse, but that a label can hold.
const NAMES: [(&str, &str); 5] = [
    ("irq", "softirq_entry"),
    ("kmem", "mm_page_alloc"),
    ("kmem", "rss_stat"),
    ("q\"uote\\", "new\nline"),
    ("z", "é\r=,{}"),
];

/// The windows that the tests send: the hits of each tracepoint on two CPUs.
const WINDOWS: [[u64; 10]; 3] =
    [[1, 2, 30, 40, 0, 0, 7, 0, 1, 0], [0, 0, 5, 5, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 1 << 40, 2, 2]];

/// The tracepoints of [`NAMES`], and one that the kernel refused.
fn table() -> Table {
    let names = NAMES.iter().copied().chain([("zz", "refused")]).zip(1..);
    Table::from_entries(names.map(|((group, name), id)| (group.to_owned(), name.to_owned(), id)).collect())
}

/// Their metrics.
fn metrics() -> Metrics {
    let table = table();
    let refused = (Tpid::new(6), Status::Refused { reason: "Invalid argument (os error 22)".to_owned() });
    let selection = Selection::of_statuses(&table, [refused].into_iter());
    let options = MetricsOptions {
        every: Duration::from_secs(1),
        budget: Some(0.01),
        series: USUAL_SERIES,
        by: None,
        version: "1.2.3",
    };
    let mut metrics = Metrics::new(&table, &selection, &options);
    metrics.set_state(Some("web"));
    metrics.set_alarms("kmem:* > 1M/s for 10s", AlarmFigures { raised: 2, active: 1 });
    metrics.set_history(WrittenHistory { windows: 3, ..WrittenHistory::default() });
    metrics.set_flight(FlightFigures { lost: 5, ..FlightFigures::default() });
    metrics.set_server(ServerFigures::default());
    metrics
}

/// Sends a window of [`WINDOWS`]. In the second one, a tracepoint is visited: 10 hits were counted, and 100.5 are estimated.
fn tick(metrics: &mut Metrics, number: usize) {
    let slots: Vec<Slot> = (0..10).map(|n| Slot { tpid: Tpid::new(n / 2 + 1), cpu: Some(Cpu::new(n % 2)) }).collect();
    let estimated = Some(Estimated { hits: 100.5, variance: 9.0 });
    let partly = [Partly { tpid: Tpid::new(2), rung: Rung::Visited, watched: 0.1, estimated }];
    let from = number as u64 * 1_000_000_000;
    metrics.tick(&Tick {
        from: Ns(from),
        to: Ns(from + 1_000_000_000),
        late_ns: 0,
        slots: &slots,
        hits: &WINDOWS[number],
        partly: if number == 1 { &partly } else { &[] },
        cost: Some(0.005),
    });
}

/// The hits of each tracepoint after all windows. One was never hit.
fn expected() -> BTreeMap<(&'static str, &'static str), u64> {
    [3, 70 + 100, 0, 7 + (1 << 40), 5]
        .into_iter()
        .zip(NAMES)
        .filter(|(hits, _)| *hits > 0)
        .map(|(hits, name)| (name, hits))
        .collect()
}

/// Metrics after all windows.
fn all_metrics() -> Metrics {
    let mut metrics = metrics();
    (0..WINDOWS.len()).for_each(|number| tick(&mut metrics, number));
    metrics
}

fn text(metrics: &mut Metrics, format: MetricsFormat) -> String {
    String::from_utf8(metrics.scrape(format).to_vec()).unwrap()
}

/// The words in a text that are names of metrics.
fn metric_names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("tpperf_") || word.starts_with("process_")).map(str::to_owned).collect()
}

/// The names of all series.
fn series_names() -> BTreeSet<String> {
    let mut metrics = all_metrics();
    let mut text_of_all = String::new();
    for by in [CountBy::Process, CountBy::Cgroup] {
        let mut totals = HitTotals::new(by, &table());
        totals.event(Event::new(Ns(1), None, Tpid::new(1)), None);
        totals.end_round(Ns(1));
        totals.end_window();
        metrics.set_rows(&totals);
        text_of_all += &text(&mut metrics, MetricsFormat::Prometheus);
    }
    let lines = text_of_all.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split(['{', ' ']).next().unwrap().to_owned()).collect()
}

fn dashboard() -> Value {
    serde_json::from_str(&fs::read_to_string(shipped("dashboard.json")).unwrap()).unwrap()
}

/// The queries of the dashboard, with values for its variables.
fn queries() -> Vec<String> {
    let board = dashboard();
    let panels = board["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let query = |target: &Value| {
        let query = target["expr"].as_str().unwrap();
        query.replace("$instance", ".*").replace("$job", "tp-perf").replace("$__rate_interval", "1m")
    };
    targets.map(query).collect()
}

fn names() {
    let series = series_names();
    let page = fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    // The page names each metric in its tables, and may name the families of OpenMetrics.
    let in_tables: String = page.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(metric_names(&in_tables), series, "docs/metrics.md");
    let rules = fs::read_to_string(shipped("alerts.yml")).unwrap();
    let used: BTreeSet<String> =
        metric_names(&rules).into_iter().chain(queries().iter().flat_map(|query| metric_names(query))).collect();
    assert!(used.len() > 15 && used.is_subset(&series), "{:?}", used.difference(&series));
    let board = dashboard();
    let sources: Vec<_> = board["panels"].as_array().unwrap().iter().map(|panel| &panel["datasource"]["uid"]).collect();
    assert!(sources.iter().all(|uid| *uid == "${datasource}"), "{sources:?}");
}

/// What a program does with this input.
fn fed(command: &mut Command, input: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn promtool_metrics() {
    let mut metrics = all_metrics();
    for text in [text(&mut metrics, MetricsFormat::Prometheus), metrics.for_textfile()] {
        let output = fed(Command::new("promtool").args(["check", "metrics"]), &text);
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success() && said.is_empty(), "{}\n{text}", String::from_utf8_lossy(&said));
    }
}

fn promtool_rules() {
    let rules = shipped("alerts.yml");
    let output = Command::new("promtool").args(["check", "rules"]).arg(&rules).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.yml");
    fs::write(&file, RULE_TESTS.replace("RULES", &rules.display().to_string())).unwrap();
    let output = Command::new("promtool").args(["test", "rules"]).arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
}

/// Series of an hour, and the alerts that they raise.
const RULE_TESTS: &str = include_str!("metrics/alerts.test.yml");

/// A server with the metrics, in a thread of its own.
struct Served {
    address: String,
    /// Sends the number of the next window, or ends the server.
    windows: Option<Sender<usize>>,
    thread: Option<JoinHandle<BTreeSet<&'static str>>>,
}

/// Notes the formats that were asked for.
struct Noted {
    metrics: Metrics,
    formats: BTreeSet<&'static str>,
}

impl RequestAnswers for Noted {
    fn metrics(&mut self, format: MetricsFormat) -> Rc<[u8]> {
        self.formats.insert(format.content_type());
        self.metrics.scrape(format)
    }

    fn flight(&mut self, _: &str) -> FlightAnswer {
        FlightAnswer::Off(String::new())
    }
}

impl Served {
    fn start() -> Self {
        let (windows, received) = mpsc::channel();
        let (address, is_bound) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut server = MetricsServer::listen(&["127.0.0.1:0".parse::<ServerAddress>().unwrap()]).unwrap();
            address.send(server.addresses().unwrap()[0].to_string()).unwrap();
            let mut noted = Noted { metrics: metrics(), formats: BTreeSet::new() };
            Self::run(&mut server, &mut noted, &received);
            noted.formats
        });
        Served { address: is_bound.recv().unwrap(), windows: Some(windows), thread: Some(thread) }
    }

    /// Runs as a count does: between two ticks, the server works when its descriptor wakes.
    fn run(server: &mut MetricsServer, noted: &mut Noted, windows: &Receiver<usize>) {
        loop {
            match windows.try_recv() {
                Ok(number) => tick(&mut noted.metrics, number),
                Err(mpsc::TryRecvError::Empty) => {}
                Err(mpsc::TryRecvError::Disconnected) => return,
            }
            let patience = rustix::event::Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
            let mut polled: Vec<_> = server
                .wake_descriptor()
                .iter()
                .map(|descriptor| rustix::event::PollFd::from_borrowed_fd(*descriptor, rustix::event::PollFlags::IN))
                .collect();
            rustix::event::poll(&mut polled, Some(&patience)).unwrap();
            server.act(Instant::now(), noted);
        }
    }

    /// Ends the server. Returns the formats that were asked for.
    fn end(mut self) -> BTreeSet<&'static str> {
        self.windows = None;
        self.thread.take().unwrap().join().unwrap()
    }
}

/// A running Prometheus, which ends with the test.
struct Prometheus {
    child: Child,
    address: String,
    log: PathBuf,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Prometheus {
    /// Starts it with this target and the alert rules.
    fn start(folder: &Path, target: &str) -> Self {
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: ['{}']\nscrape_configs:\n  - job_name: tp-perf\n    \
             static_configs: [{{targets: ['{target}']}}]\n",
            shipped("alerts.yml").display()
        );
        fs::write(folder.join("prometheus.yml"), config).unwrap();
        let log = folder.join("log");
        // Nobody else gets the port before Prometheus does, as the kernel gives each free port in turn.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Prometheus { child, address, log }
    }

    /// The data that an API returns; `None` if it is not ready.
    fn api(&self, path: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.write_all(format!("GET /api/v1/{path} HTTP/1.0\r\n\r\n").as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        let answer: Value = serde_json::from_str(body).ok()?;
        (answer["status"] == "success").then(|| answer["data"].clone())
    }

    /// The series of a query, if the query is right: labels and values.
    fn query(&self, query: &str) -> Option<Vec<(Value, String)>> {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let data = self.api(&format!("query?query={encoded}"))?;
        let series = data["result"].as_array()?.iter();
        Some(
            series
                .map(|one| (one["metric"].clone(), one["value"][1].as_str().unwrap_or_default().to_owned()))
                .collect(),
        )
    }

    /// Waits until there is what the test waits for.
    fn wait<T>(&self, what: &str, get: impl Fn() -> Option<T>) -> T {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            match get() {
                Some(value) => return value,
                None => thread::sleep(Duration::from_millis(100)),
            }
        }
        panic!("no {what}; Prometheus wrote:\n{}", fs::read_to_string(&self.log).unwrap_or_default());
    }
}

fn prometheus() {
    let served = Served::start();
    let folder = tempfile::tempdir().unwrap();
    let prometheus = Prometheus::start(folder.path(), &served.address);
    let value = |query: &str| prometheus.query(query).and_then(|series| Some(series.first()?.1.clone()));
    prometheus.wait("first scrape", || value("up").filter(|up| up == "1"));
    for number in 0..WINDOWS.len() {
        served.windows.as_ref().unwrap().send(number).unwrap();
        let windows = (number + 1).to_string();
        prometheus.wait("scrape of the window", || value("tpperf_windows_total").filter(|seen| *seen == windows));
    }
    let hits = prometheus.query("tpperf_hits_total").unwrap();
    let expected = expected();
    let of_series = |(labels, value): &(Value, String)| {
        let label = |name: &str| labels[name].as_str().unwrap().to_owned();
        ((label("group"), label("tracepoint")), value.parse::<u64>().unwrap())
    };
    let hits: BTreeMap<_, _> = hits.iter().map(of_series).collect();
    let named = expected.iter().map(|((group, name), hits)| (((*group).to_owned(), (*name).to_owned()), *hits));
    assert_eq!(hits, named.collect());
    let sum: u64 = expected.values().sum();
    for query in ["sum(tpperf_hits_total)", "sum(tpperf_group_hits_total)"] {
        assert_eq!(value(query), Some(sum.to_string()), "{query}");
    }
    // 100.5 hits are estimated, of which 10 were counted.
    assert_eq!(value("tpperf_estimated_hits_total"), Some("90".to_owned()));
    assert_eq!(value("tpperf_tracepoint_open_failed"), Some("1".to_owned()));
    let series = value("scrape_samples_scraped").unwrap().parse::<usize>().unwrap();
    assert_eq!(
        series,
        text(&mut all_metrics(), MetricsFormat::OpenMetrics).lines().filter(|line| !line.starts_with('#')).count()
    );

    let metadata = prometheus.api("targets/metadata?metric=tpperf_cost_seconds").unwrap();
    assert_eq!((&metadata[0]["type"], &metadata[0]["unit"]), (&"counter".into(), &"seconds".into()), "{metadata}");
    for query in queries() {
        assert!(prometheus.query(&query).is_some(), "{query}");
    }
    let healthy = |rules: Value| {
        let rules = rules["groups"][0]["rules"].as_array()?.clone();
        rules.iter().all(|rule| rule["health"] != "unknown").then_some(rules)
    };
    let rules = prometheus.wait("evaluation of the rules", || prometheus.api("rules").and_then(healthy));
    assert!(rules.len() >= 6 && rules.iter().all(|rule| rule["health"] == "ok"), "{rules:?}");
    drop(prometheus);
    assert_eq!(served.end(), BTreeSet::from([MetricsFormat::OpenMetrics.content_type()]));
}
