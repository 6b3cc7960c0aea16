/** Announces a text to readers who listen to the page. */
function announce(text) {
  document.getElementById("announce").textContent = text;
}

/** What is looked for and what is isolated: the same in all graphs and tables. */
const selection = {
  search: "",
  /** `{ group }` or `{ group, name }`. */
  isolated: null,
  /** The process whose events are shown: `{ processes, row }`. */
  process: null,
  graphs: [],

  /** Whether a tracepoint is to be seen; of a group, whose name is `undefined`, whether any of it may be. */
  wants(name, group) {
    const { search, isolated } = this;
    if (isolated && (isolated.group !== group || (isolated.name && name !== undefined && isolated.name !== name))) return false;
    return search === "" || (name ?? group).toLowerCase().includes(search) || (name === undefined && this.groups.has(group));
  },

  apply() {
    const isMatch = (row) => (row.name ?? "").toLowerCase().includes(this.search);
    this.groups = new Set(this.graphs.filter((graph) => graph.kind === "tracepoints").flatMap((graph) => graph.rows.filter(isMatch).map((row) => row.group)));
    for (const graph of this.graphs) {
      if (graph.kind === "tracepoints") graph.light(graph.rows.map((row) => this.wants(row.name, row.group)));
      if (graph.kind === "groups") graph.light(graph.rows.map((row) => this.wants(undefined, row.name)));
    }
    filterTables((name, group) => this.wants(name, group));
    const found = document.getElementById("found");
    const wanted = this.graphs.filter((graph) => graph.kind === "tracepoints").flatMap((graph) => graph.rows).filter((row) => this.wants(row.name, row.group));
    const number = new Set(wanted.map((row) => row.name)).size;
    found.textContent = this.search === "" ? "" : `${number} ${number === 1 ? "tracepoint" : "tracepoints"}`;
    const chip = document.getElementById("isolated");
    chip.hidden = !this.isolated;
    chip.firstElementChild.textContent = this.isolated ? this.isolated.name ?? `group ${this.isolated.group}` : "";
  },

  /** Shows only the events of a process of a source; the same process once more, or `null`, shows the events of all processes. */
  follow(processes, row) {
    const { process } = this;
    const same = process && process.processes === processes && process.row === row;
    process?.processes.show(null);
    this.process = row === null || same ? null : { processes, row };
    this.process?.processes.show(row);
    const name = this.process && processes.rows[row].name + (views.length > 1 ? ` in ${processes.label}` : "");
    const chip = document.getElementById("followed");
    chip.hidden = !name;
    chip.firstElementChild.textContent = name ?? "";
    announce(name ? `the page shows only events of ${name}` : "the page shows the events of all processes");
  },

  /** Isolates a tracepoint or a group; the same once more, or nothing, shows all again. */
  isolate(what) {
    const same = what && this.isolated && what.group === this.isolated.group && what.name === this.isolated.name;
    this.isolated = same ? null : what;
    this.apply();
    for (const graph of this.graphs.filter((graph) => graph.kind === "tracepoints")) {
      const rows = graph.rows.flatMap((row, number) => (row.group === this.isolated?.group ? [number] : []));
      // A group shows all of its rows, each as high as possible.
      if (rows.length > 0) graph.showRows(rows[0], rows[rows.length - 1]);
      else graph.showRows(0, Math.max(graph.rows.length, 1) - 1);
    }
    const name = this.isolated && (this.isolated.name ?? `group ${this.isolated.group}`);
    announce(name ? `only ${name} is shown` : "all rows are shown");
  },
};

const views = [];

async function draw(section, source) {
  const view = new View(source, section.querySelector(".tools"));
  const groupNames = source.groups.map((row) => row.name);
  const tracepoints = source.tracepoints.rows.map((row, number) => ({ ...row, group: groupNames[source.group_of[number]] }));
  const groups = source.groups.map((row) => ({ ...row, group: row.name }));
  const cpus = source.cpus.rows.map((row) => ({ ...row, group: row.name }));
  const [cells, cpuCells] = await Promise.all([source.tracepoints, source.cpus].map((of) => Cells.unpack(of.cells, of.width, of.rows.length)));
  const own = (rows) => rows.map((_, number) => number);
  // [row, from, to, samples, CPU]
  const losses = source.losses.map((loss) => [...loss, cpus[loss[0]].name]);
  // [row, from, to, CPU]
  const unwatched = source.unwatched.map((stretch) => [...stretch, cpus[stretch[0]].name]);
  const thinned = source.thinned.map(([row, from, to, least, most]) => ({ row, from, to, least, most, name: tracepoints[row].name }));
  const thinnedGroups = thinned.map((band) => ({ ...band, row: source.group_of[band.row] }));
  const inAllRows = ([, ...band]) => [-1, ...band];
  const everywhere = { losses: losses.map(inAllRows), unwatched: unwatched.map(inAllRows), gaps: source.gaps, thinned };
  const graphs = {};
  const graph = (kind, label, rows, cells, map, bands, pick) => {
    const element = section.querySelector(`[data-graph="${kind}"]`);
    const onPick = (row) => pick(row < 0 ? null : rows[row], row);
    graphs[kind] = new Graph(element, { label: `${label} of ${source.label} over time`, kind, rows, cells, map, view, bands, onPick });
    selection.graphs.push(graphs[kind]);
  };
  const pickTracepoint = (row) => selection.isolate(row && { group: row.group, name: row.name });
  graph("tracepoints", "Tracepoints", tracepoints, cells, own(tracepoints), everywhere, pickTracepoint);
  graph("groups", "Groups", groups, cells, source.group_of, { ...everywhere, thinned: thinnedGroups }, (row) => selection.isolate(row && { group: row.name }));
  graph("cpus", "CPUs", cpus, cpuCells, own(cpus), { losses, unwatched, gaps: source.gaps, thinned: [] }, () => {});
  if (source.processes) {
    const [tracepointPairs, cpuPairs] = await Promise.all([source.processes.tracepoints, source.processes.cpus].map(Pairs.unpack));
    const rows = source.processes.rows.map((row) => ({ ...row, group: row.name }));
    const processCells = await Cells.unpack(source.processes.cells, source.processes.width, rows.length);
    const pick = (row, number) => (row && !source.processes.followed[number] ? announce(`the events of ${row.name} are not known by tracepoint`) : selection.follow(processes, row && number));
    graph("processes", "Processes", rows, processCells, own(rows), { ...everywhere, thinned: [] }, pick);
    const processes = new Processes(section, source, { tracepoints: tracepointPairs, cpus: cpuPairs }, graphs, source.group_of);
    section.querySelectorAll("[data-process]").forEach((row) => row.querySelector("button").addEventListener("click", () => selection.follow(processes, Number(row.dataset.process))));
  }
  const strip = section.querySelector(".states");
  if (strip) new Strip(strip, view);
  views.push(view);
}

async function main() {
  const data = JSON.parse(document.getElementById("data").textContent);
  document.querySelectorAll("table.sortable").forEach(sortable);
  document.querySelectorAll("section.source [data-group] > th button").forEach((button) => {
    const { name, group } = button.closest("tr").dataset;
    button.addEventListener("click", () => selection.isolate({ group, ...(name && { name }) }));
  });
  document.getElementById("isolated").querySelector("button").addEventListener("click", () => selection.isolate(null));
  document.getElementById("followed").querySelector("button").addEventListener("click", () => selection.follow(null, null));
  document.getElementById("search").addEventListener("input", (event) => {
    selection.search = event.target.value.trim().toLowerCase();
    selection.apply();
  });
  for (const section of document.querySelectorAll("section.source")) await draw(section, data.sources[section.dataset.source]);
  const redraw = () => views.forEach((view) => view.redraw());
  const print = (isPrinted) => {
    selection.graphs.forEach((graph) => graph.print(isPrinted));
    redraw();
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));
  // All graphs use the width of the widest label, which is known only when all graphs exist.
  selection.apply();
  redraw();
  document.documentElement.dataset.ready = "true";
}

main().catch((error) => {
  const failure = document.getElementById("failure");
  failure.textContent = `The graphs could not be drawn (${error.message}); all numbers are below.`;
  failure.hidden = false;
  console.error(error);
});
