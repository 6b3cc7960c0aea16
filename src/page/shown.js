/**
 * The numbers of what a source shows: a part of the time or all of it, and the events of one process or of all. They are in the tables,
 * and in the line above the graphs.
 */
class Shown {
  /** `graphs` are the graphs of the source by kind; `processes` is `null` if they are not known. */
  constructor(section, source, view, graphs, processes) {
    Object.assign(this, { section, source, view, graphs, processes });
    this.tables = Object.fromEntries(["tracepoints", "groups", "cpus", "processes"].map((kind) => [kind, new ShownTable(section.querySelector(`table.${kind}`))]));
    this.part = section.querySelector(".part");
    this.code = section.querySelector(".command code");
    section.querySelector(".command button").addEventListener("click", () => this.copy());
    view.others.push(this);
  }

  /** Whether these cells give estimates: one lies across the start or the end, or they are parts of the windows of a history. */
  isEstimate(cells) {
    const { from, to, span } = this.view;
    return this.source.command.is_wall || !cells.isExact(from, to, span);
  }

  /** From the start to the end or to the last event, in seconds: the time that rates are of. */
  length() {
    const { from, to, span } = this.view;
    const isToLast = this.view.isWhole || (to >= span && !this.source.command.is_cut);
    return ((isToLast ? span - 1 : to) - from) / 1e9;
  }

  /** Shows the numbers after the graphs, which are what the reader looks at. */
  place() {
    clearTimeout(this.placing);
    this.placing = setTimeout(() => this.update(), 0);
  }

  update() {
    const { view, graphs, processes } = this;
    const { from, to, span } = view;
    const process = processes?.shown ?? null;
    const numbers = Object.fromEntries(["tracepoints", "groups", "cpus"].map((kind) => [kind, this.numbersOf(kind)]));
    const total = numbers.tracepoints.sums.reduce((sum, number) => sum + number, 0);
    const part = view.isWhole && process === null ? null : numbers;
    for (const kind of ["tracepoints", "groups", "cpus"]) {
      const { rows } = graphs[kind].base;
      const table = this.tables[kind];
      const bars = part && table.has("bars") ? graphs[kind].bars() : [];
      const known = part && new Map([...numbers[kind].sums].flatMap((hits, row) => (hits > 0 ? [[rows[row].name, { row, hits }]] : [])));
      table.show(known, ({ row, hits }) => this.words(hits, total, numbers[kind].mark, bars[row] ?? ""));
      // In a part, the tables have the recorded events, and not estimates of hits.
      table.head("events", kind !== "cpus" && !view.isWhole && this.source.thinned.length > 0 ? "events" : null);
    }
    this.showProcesses(total, numbers.tracepoints.mark);
    this.tell(total, numbers.tracepoints.mark);
    this.section.dataset.from = from;
    this.section.dataset.to = Math.min(to, span);
  }

  /** The events of each row of a kind, and the mark of estimates. */
  numbersOf(kind) {
    const { view, graphs, processes } = this;
    const graph = graphs[kind];
    const { cells, map, hits } = graph.part ?? graph.base;
    const { from, to, span } = view;
    const rows = graph.base.rows.length;
    if (hits && view.isWhole) {
      // The CPUs have events, and only hits are estimated.
      return { sums: Float64Array.from({ length: rows }, (_, row) => hits.get(row) ?? 0), mark: kind === "cpus" ? "" : processes.mark };
    }
    return { sums: cells.sums(from, to, map, rows, span), mark: this.isEstimate(cells) ? "~" : "" };
  }

  /** The cells of a table's row: the number and what is shown of it, by the kind of the column. */
  words(hits, total, mark, bars) {
    const share = hits / Math.max(total, 1);
    const seconds = this.processes?.shown != null && this.view.isWhole ? this.processes.seconds : this.length();
    const rate = seconds > 0 ? hits / seconds : 0;
    return {
      events: [hits, mark + grouped(hits)],
      share: [share, mark + percent(share)],
      rate: [rate, seconds > 0 ? mark + perSecond(rate) : ""],
      bars: [0, bars],
    };
  }

  /** The table of processes: in a part of the time, those that have a row in the graph. */
  showProcesses(total, markOfTotal) {
    const { view, processes, graphs, tables } = this;
    if (!processes) return;
    if (view.isWhole) return tables.processes.show(null);
    const { from, to, span } = view;
    const { cells, map, rows } = graphs.processes.base;
    const mark = this.isEstimate(cells) ? "~" : "";
    const sums = cells.sums(from, to, map, rows.length, span);
    const all = processes.shown === null ? total : sums.reduce((sum, number) => sum + number, 0);
    const mostly = processes.mostly(from, to, span, graphs.tracepoints.base.rows);
    const known = new Map([...sums].flatMap((hits, row) => (hits > 0 ? [[String(row), { row, hits }]] : [])));
    tables.processes.show(known, ({ row, hits }) => ({ ...this.words(hits, all, mark || markOfTotal, ""), mostly: [0, mostly.get(row) ?? ""] }));
  }

  /** The line above the graphs: the length, the events and the rate of the time shown, and the command for it. */
  tell(total, mark) {
    const { view, source } = this;
    const { from, to } = view;
    const length = this.length();
    const losses = source.losses.filter(([, start, end]) => end >= from && start < to);
    const lost = losses.reduce((sum, [, , , number]) => sum + number, 0);
    // It is not known when within a stretch events were lost.
    const markOfLost = losses.some(([, start, end]) => start < from || end >= to) ? "~" : "";
    const rate = length > 0 ? [`${mark}${perSecond(total / length)} a second`] : [];
    const words = [duration(length * 1e9), `${mark}${grouped(total)} ${source.command.is_wall ? "hits" : "recorded events"}`, ...rate];
    if (lost > 0) words.push(`${markOfLost}${grouped(lost)} lost`);
    if (source.thinned.length > 0 && !view.isWhole) words.push("the command also estimates thinned hits");
    this.part.textContent = words.join(" · ");
    // In the place of the hint, so that the graphs stay where they are.
    const isLimit = view.isClosest && !view.isWhole;
    this.section.querySelector(".limit").hidden = !isLimit;
    this.section.querySelector(".tools .hint").hidden = isLimit;
    this.code.textContent = this.command();
  }

  /** The command that reports on the time shown. */
  command() {
    const { words, whole, since, is_wall: isWall, is_cut: isCut } = this.source.command;
    const { from, to, span, isWhole, start } = this.view;
    if (isWhole) return whole ? `${words} ${whole}` : words;
    const word = (time) => (isWall ? wallWord(start + BigInt(time)) : timeWord(since + time));
    const begin = since + from > 0 || isWall ? ` --from ${word(from)}` : "";
    return words + begin + (to < span || isCut ? ` --to ${word(to)}` : "");
  }

  async copy() {
    try {
      await navigator.clipboard.writeText(this.command());
      announce("the command is copied");
      const button = this.section.querySelector(".command button");
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    } catch {
      // Without the right to the clipboard, the reader copies the marked text.
      getSelection().selectAllChildren(this.code);
      announce("the command is marked");
    }
  }
}

/** A table that shows the numbers of the whole source, or of a part of it. */
class ShownTable {
  constructor(table) {
    this.table = table;
    if (!table) return;
    this.heads = [...table.tHead.rows[0].cells];
    this.columns = this.heads.map((head) => head.dataset.column);
    this.titles = this.heads.map((head) => head.textContent);
    // What the page has of the whole source.
    this.all = [...table.tBodies[0].rows].map((row) => {
      const { process, name, group } = row.dataset;
      return { row, key: process ?? name ?? group ?? row.cells[0].textContent, cells: [...row.cells].map((cell) => [cell.dataset.value, cell.textContent]) };
    });
    this.isWhole = true;
  }

  /** Whether it has a kind of column. */
  has(column) {
    return this.columns?.includes(column) ?? false;
  }

  /** Changes the title of a column; `null` gives it its own. */
  head(column, title) {
    const at = this.columns?.indexOf(column) ?? -1;
    if (at < 0) return;
    const place = this.heads[at].querySelector("button") ?? this.heads[at];
    place.textContent = title ?? this.titles[at];
  }

  /** `known` has what to show by the keys of rows, and `words` makes cells of that. `known` is `null` for the whole source. */
  show(known, words) {
    if (!this.table || (known === null && this.isWhole)) return;
    this.isWhole = known === null;
    for (const { row, key, cells } of this.all) {
      const of = known?.has(key) ? words(known.get(key)) : null;
      row.toggleAttribute("data-other", known !== null && of === null);
      if (known !== null && of === null) continue;
      [...row.cells].forEach((cell, column) => {
        if (column === 0 || this.columns[column] === "number") return;
        const [value, text] = known === null ? cells[column] : of[this.columns[column]] ?? [0, ""];
        if (cell.textContent !== text) cell.textContent = text;
        if (cell.dataset.value !== undefined) cell.dataset.value = value;
      });
    }
    this.table.dispatchEvent(new Event("sort"));
  }
}
