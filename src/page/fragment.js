// The state of the page in the fragment of its address, so that a colleague who opens the address sees the same. Times are in nanoseconds
// since the first event of their source, which has the number behind the name.

/** Writes the state into the address. What is as it was at first has no word there. */
function writeFragment() {
  const words = [];
  const add = (name, value) => words.push(`${name}=${encodeURIComponent(value)}`);
  const { search, isolated, process, order, closed, isLinked } = selection;
  if (!isLinked) add("linked", "no");
  views.forEach((view, number) => view.isWhole || add(`time${number}`, `${view.from}-${view.to}`));
  if (!search.isEmpty) add("search", document.getElementById("search").value.trim());
  if (order !== ORDERS[0]) add("order", order);
  [...closed].sort().forEach((group) => add("closed", group));
  if (isolated) add(...(isolated.name ? ["tracepoint", isolated.name] : ["group", isolated.group]));
  if (process) add("process", `${views.indexOf(process.processes.numbers.view)}-${process.row}`);
  for (const graph of selection.graphs.filter((graph) => graph.isRowZoom)) add(`${graph.kind}${views.indexOf(graph.view)}`, graph.span.map((row) => Math.round(row)).join("-"));
  for (const [name, table] of sortedTables()) if (sortOf(table) !== table.dataset.sort) add(name, sortOf(table));
  const fragment = words.length > 0 ? `#${words.join("&")}` : "";
  if (fragment !== location.hash) history.replaceState(null, "", fragment || location.pathname + location.search);
}

/** The tables that can be sorted, by their names in the address. */
function sortedTables() {
  return views.flatMap(({ section }, number) => [...section.querySelectorAll("table.sortable")].map((table) => [`sort-${table.classList[1]}${number}`, table]));
}

/** Shows the state that the address has. Whatever it has that this page does not know changes nothing. */
function readFragment() {
  const words = new URLSearchParams(location.hash.slice(1).replaceAll("+", "%2B"));
  const pair = (name) => /^(\d{1,16})-(\d{1,16})$/.exec(words.get(name) ?? "")?.slice(1).map(Number);
  const rows = selection.graphs.filter((graph) => graph.kind === "tracepoints").flatMap((graph) => graph.base.rows);
  selection.isLinked = false;
  views.forEach((view, number) => {
    const [from, to] = pair(`time${number}`) ?? [0, view.span];
    if (from < to && from < view.span) view.set(from, Math.min(to, view.span));
  });
  selection.isLinked = words.get("linked") !== "no";
  const text = words.get("search") ?? "";
  document.getElementById("search").value = text;
  selection.search = new Search(text);
  selection.order = ORDERS.includes(words.get("order")) ? words.get("order") : ORDERS[0];
  selection.closed = new Set(words.getAll("closed").filter((group) => rows.some((row) => row.group === group)));
  const row = rows.find((row) => row.name === words.get("tracepoint")) ?? rows.find((row) => row.group === words.get("group"));
  selection.isolated = row ? { group: row.group, ...(words.has("tracepoint") && { name: row.name }) } : null;
  const [source, process] = pair("process") ?? [];
  const processes = selection.processes.get(views[source]);
  selection.follow(null, null);
  if (processes?.isKnown(process)) selection.follow(processes, process);
  selection.apply();
  for (const [name, table] of sortedTables()) {
    const [, column, up] = /^(\d{1,2})(-up)?$/.exec(words.get(name) ?? table.dataset.sort) ?? [];
    sortBy(table, Number(column), up !== undefined);
  }
  for (const graph of selection.graphs) {
    const [first, last] = pair(`${graph.kind}${views.indexOf(graph.view)}`) ?? [];
    if (first <= last && last < graph.rows.length) graph.showRows(first, last);
  }
}
