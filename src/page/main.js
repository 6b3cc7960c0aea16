async function draw(section, source) {
  const groupNames = source.groups.map((row) => row.name);
  const tracepoints = source.tracepoints.rows.map((row, number) => ({ ...row, group: groupNames[source.group_of[number]], gid: source.groups[source.group_of[number]].number }));
  const groups = source.groups.map((row) => ({ ...row, group: row.name }));
  const cpus = source.cpus.rows.map((row) => ({ ...row, group: row.name }));
  const [cells, cpuCells] = await Promise.all([source.tracepoints, source.cpus].map((of) => Cells.unpack(of.cells, of.width, of.rows.length)));
  const view = new View(source, cells, section);
  view.isAll = source.is_all;
  views.push(view);
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
  const graph = (kind, label, rows, cells, map, bands, onPick) => {
    const element = section.querySelector(`[data-graph="${kind}"]`);
    graphs[kind] = new Graph(element, { label: `${label} of ${source.label} over time`, kind, base: { rows, cells, map }, view, bands, onPick });
    selection.graphs.push(graphs[kind]);
  };
  const pickTracepoint = (row) => selection.isolate(row && { group: row.group, ...(!row.isClosed && { name: row.name }) });
  graph("tracepoints", "Tracepoints", tracepoints, cells, own(tracepoints), everywhere, pickTracepoint);
  graph("groups", "Groups", groups, cells, source.group_of, { ...everywhere, thinned: thinnedGroups }, (row) => selection.isolate(row && { group: row.name }));
  graph("cpus", "CPUs", cpus, cpuCells, own(cpus), { losses, unwatched, gaps: source.gaps, thinned: [] }, () => {});
  let processes = null;
  if (source.processes) {
    const [tracepointPairs, cpuPairs] = await Promise.all([source.processes.tracepoints, source.processes.cpus].map(Pairs.unpack));
    const rows = source.processes.rows.map((row) => ({ ...row, group: row.name }));
    const processCells = await Cells.unpack(source.processes.cells, source.processes.width, rows.length);
    const pick = (row) => (row && !processes.isKnown(row.members[0]) ? announce(`the page does not have the events of ${row.name} by tracepoint`) : selection.follow(processes, row && row.members[0]));
    graph("processes", "Processes", rows, processCells, own(rows), { ...everywhere, thinned: [] }, pick);
    processes = new Processes(section, source, { tracepoints: tracepointPairs, cpus: cpuPairs }, graphs, source.group_of);
    section.querySelectorAll("[data-process]").forEach((row) => row.querySelector("button").addEventListener("click", () => selection.follow(processes, Number(row.dataset.process))));
    selection.processes.set(view, processes);
  }
  const strip = section.querySelector(".states");
  if (strip) new Strip(strip, view);
  new Overview(section.querySelector(".overview"), view, losses);
  const numbers = new Shown(section, source, view, graphs, processes);
  if (processes) processes.numbers = numbers;
  section.querySelectorAll("table.sortable").forEach((table) => saveTable(table, source.label, view));
  const resolution = duration(cells.width);
  section.querySelector(".limit").textContent = cells.width > 1 ? `This is the closest zoom: the page has one count per ${resolution}. For finer counts, run the command with --open.` : `This is the closest zoom: ${duration(view.least)}.`;
  section.querySelector(".resolution").textContent = `in cells of ${resolution}`;
}

async function main() {
  const data = JSON.parse(document.getElementById("data").textContent);
  document.querySelectorAll("table.sortable").forEach(sortable);
  document.querySelectorAll("section.source [data-group] > th button").forEach((button) => {
    const { name, group } = button.closest("tr").dataset;
    button.addEventListener("click", () => selection.isolate({ group, ...(name && { name }) }));
  });
  const listenTo = (id, kind, act) => document.getElementById(id)?.addEventListener(kind, act);
  document.getElementById("isolated").querySelector("button").addEventListener("click", () => selection.isolate(null));
  document.getElementById("followed").querySelector("button").addEventListener("click", () => selection.follow(null, null));
  listenTo("search", "input", (event) => {
    selection.search = new Search(event.target.value);
    selection.apply();
  });
  listenTo("order", "change", (event) => {
    selection.order = event.target.value;
    selection.apply();
  });
  listenTo("close", "click", () => selection.toggleAll());
  listenTo("link", "click", () => selection.link(!selection.isLinked));
  // On a phone, the graphs come first, unless there is a problem.
  if (matchMedia("(max-width: 700px)").matches) document.querySelectorAll("details.about").forEach((facts) => (facts.open = facts.querySelector(".problem") !== null));
  document.querySelectorAll("nav a").forEach((link) => link.addEventListener("click", (event) => {
    // The fragment has the state.
    event.preventDefault();
    document.querySelector(link.getAttribute("href")).scrollIntoView();
  }));
  for (const section of document.querySelectorAll("section.source")) await draw(section, data.sources[section.dataset.source]);
  const redraw = () => views.forEach((view) => view.redraw());
  const print = (isPrinted) => {
    selection.graphs.forEach((graph) => graph.print(isPrinted));
    redraw();
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));
  addEventListener("hashchange", readFragment);
  listenToKeys();
  // All graphs use the width of the widest label, which is known only when all graphs exist.
  readFragment();
  views.forEach((view) => view.others.forEach((other) => other.place()));
  document.documentElement.dataset.ready = "true";
}

main().catch((error) => {
  const failure = document.getElementById("failure");
  failure.textContent = `The graphs could not be drawn (${error.message}); all numbers are below.`;
  failure.hidden = false;
  console.error(error);
});
