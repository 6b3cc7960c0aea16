/** Announces a text to readers who listen to the page. */
function announce(text) {
  document.getElementById("announce").textContent = text;
}

/** The views of all sources. */
const views = [];

/** How the rows of all sources are arranged, and what of them is shown. */
const selection = {
  search: new Search(""),
  /** `{ group }` or `{ group, name }`. */
  isolated: null,
  /** The process whose events are shown: `{ processes, row }`. */
  process: null,
  order: "name",
  /** The groups that are closed to one row. */
  closed: new Set(),
  /** Whether all sources show the same time. */
  isLinked: true,
  graphs: [],
  /** The processes of each view that has them. */
  processes: new Map(),
  groups: new Set(),

  /** Whether a tracepoint is to be seen; of a group, whose name is `undefined`, whether any of it may be. */
  wants(name, group) {
    const { isolated } = this;
    if (isolated && (isolated.group !== group || (isolated.name && name !== undefined && isolated.name !== name))) return false;
    return this.finds(name, group);
  },

  /** Whether the search finds it. */
  finds(name, group) {
    return name === undefined ? this.groups.has(group) : this.search.matches(name);
  },

  /** Whether the rows of a group are closed to one. An isolated group shows all of its rows. */
  isClosed(group) {
    return this.closed.has(group) && this.isolated?.group !== group;
  },

  /** Arranges all graphs and tables. */
  apply() {
    const named = new Map();
    document.querySelectorAll("tr[data-name]").forEach(({ dataset }) => named.set(dataset.name, dataset.group ?? dataset.name.split(":")[0]));
    const tracepoints = this.graphs.filter((graph) => graph.kind === "tracepoints");
    tracepoints.forEach(({ base }) => base.rows.forEach((row) => named.set(row.name, row.group)));
    this.groups = new Set([...named].flatMap(([name, group]) => (this.search.matches(name) ? [group] : [])));
    this.graphs.forEach((graph) => graph.arrange());
    filterTables((name, group) => this.wants(name, group));
    const found = document.getElementById("found");
    const number = [...named].filter(([name, group]) => this.wants(name, group)).length;
    found.textContent = this.search.isEmpty ? "" : `${number} ${number === 1 ? "tracepoint" : "tracepoints"}`;
    const chip = document.getElementById("isolated");
    chip.hidden = !this.isolated;
    chip.firstElementChild.textContent = this.isolated ? this.isolated.name ?? `group ${this.isolated.group}` : "";
    document.getElementById("order").value = this.order;
    const close = document.getElementById("close");
    close.textContent = this.closed.size > 0 ? "Open all groups" : "Close all groups";
    document.getElementById("link")?.setAttribute("aria-pressed", this.isLinked);
    this.remember();
  },

  /** Keeps the state in the address. */
  remember() {
    clearTimeout(this.remembering);
    this.remembering = setTimeout(writeFragment, 150);
  },

  /** Closes a group to one row, or opens it. */
  toggle(group) {
    if (!this.closed.delete(group)) this.closed.add(group);
    this.apply();
    announce(`group ${group} is ${this.closed.has(group) ? "closed" : "open"}`);
  },

  /** Opens all groups, or closes all if none is closed. */
  toggleAll() {
    const groups = this.graphs.filter((graph) => graph.kind === "groups").flatMap(({ base }) => base.rows.map((row) => row.name));
    this.closed = new Set(this.closed.size > 0 ? [] : groups);
    this.apply();
    announce(this.closed.size > 0 ? "all groups are closed" : "all groups are open");
  },

  link(isLinked) {
    this.isLinked = isLinked;
    if (isLinked && currentView()) for (const view of views) view.follow(currentView());
    this.apply();
    announce(isLinked ? "all sources show the same time" : "each source shows its own time");
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
    this.remember();
    announce(name ? `the page shows only events of ${name}` : "the page shows the events of all processes");
  },

  /** Isolates a tracepoint or a group; the same once more, or nothing, shows all again. */
  isolate(what) {
    const same = what && this.isolated && what.group === this.isolated.group && what.name === this.isolated.name;
    this.isolated = same ? null : what;
    this.apply();
    const name = this.isolated && (this.isolated.name ?? `group ${this.isolated.group}`);
    announce(name ? `only ${name} is shown` : "all rows are shown");
  },
};
