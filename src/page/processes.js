/** Events over time, by pairs of a process and a tracepoint or CPU. */
class Pairs {
  static async unpack({ pairs, cells, width }) {
    return new Pairs(pairs, await Cells.unpack(cells, width, pairs.length));
  }

  constructor(pairs, cells) {
    Object.assign(this, { pairs, cells });
  }

  /** The events of one process as a graph shows them; `rowOf` gives the graph's row of a pair's tracepoint or CPU. */
  of(process, rowOf) {
    return { cells: this.cells, map: this.pairs.map(([its, of]) => (its === process ? rowOf(of) : -1)) };
  }

  /** The hits of one process, by the same rows. */
  hits(process, rowOf) {
    const hits = new Map();
    for (const [its, of, number] of this.pairs) if (its === process) hits.set(rowOf(of), (hits.get(rowOf(of)) ?? 0) + number);
    return hits;
  }
}

/** The processes of a source. If the user chooses one, the other graphs and the tables show only its events. */
class Processes {
  /** `graphs` are the graphs of the source by kind, `rowsOf` gives for each kind the graph's row of a tracepoint or CPU. */
  constructor(section, source, { tracepoints, cpus }, graphs, groupOf) {
    Object.assign(this, { section, graphs });
    this.rows = source.processes.rows;
    this.label = source.label;
    this.seconds = source.processes.seconds;
    this.mark = source.processes.is_estimate ? "~" : "";
    const same = (row) => row;
    this.kinds = {
      tracepoints: { pairs: tracepoints, rowOf: same },
      groups: { pairs: tracepoints, rowOf: (row) => groupOf[row] },
      cpus: { pairs: cpus, rowOf: same },
    };
    this.tables = Object.fromEntries(Object.keys(this.kinds).map((kind) => [kind, new ProcessTable(section.querySelector(`table.${kind}`))]));
  }

  /** Shows only the events of a process, or of all if it is `null`. */
  show(process) {
    for (const [kind, { pairs, rowOf }] of Object.entries(this.kinds)) {
      const graph = this.graphs[kind];
      const hits = process === null ? null : pairs.hits(process, rowOf);
      graph.follow(process === null ? null : { ...pairs.of(process, rowOf), hits });
      const names = hits && new Map([...hits].map(([row, number]) => [graph.rows[row].name, { row, number }]));
      const bars = hits && this.tables[kind].has("bars") ? graph.bars() : [];
      this.tables[kind].follow(names, ({ row, number }) => this.words(process, number, bars[row] ?? "", kind));
    }
    this.graphs.processes.light(this.rows.map((_, row) => process === null || row === process));
    this.section.querySelectorAll("[data-process]").forEach((row) => row.toggleAttribute("data-chosen", Number(row.dataset.process) === process));
  }

  /** The cells of a table's row: the number and what is shown of it, by the kind of the column. */
  words(process, hits, bars, kind) {
    // The CPUs have events, and only hits are estimated.
    const mark = kind === "cpus" ? "" : this.mark;
    const share = hits / Math.max(this.rows[process].events, 1);
    const rate = this.seconds > 0 ? hits / this.seconds : 0;
    return {
      events: [hits, mark + grouped(hits)],
      share: [share, mark + percent(share)],
      rate: [rate, this.seconds > 0 ? mark + perSecond(rate) : ""],
      bars: [0, bars],
    };
  }
}

/** A table that shows the hits of all, or of one process. */
class ProcessTable {
  constructor(table) {
    this.table = table;
    if (!table) return;
    this.columns = [...table.tHead.rows[0].cells].map((head) => head.dataset.column);
    // What the page has for all processes.
    this.all = [...table.tBodies[0].rows].map((row) => [row, [...row.cells].map((cell) => [cell.dataset.value, cell.textContent])]);
  }

  /** Whether it has a kind of column. */
  has(column) {
    return this.columns?.includes(column) ?? false;
  }

  /** `names` has what to show by the names of rows, and `words` makes cells of that. `names` is `null` for all processes. */
  follow(names, words) {
    if (!this.table) return;
    for (const [row, whole] of this.all) {
      const name = row.dataset.name ?? row.dataset.group ?? row.cells[0].textContent;
      row.toggleAttribute("data-other", names !== null && !names.has(name));
      const of = names?.has(name) ? words(names.get(name)) : null;
      [...row.cells].forEach((cell, column) => {
        if (column === 0 || this.columns[column] === "number") return;
        const [value, text] = names === null ? whole[column] : of?.[this.columns[column]] ?? [0, ""];
        cell.textContent = text;
        if (value !== undefined) cell.dataset.value = value;
      });
    }
    this.table.dispatchEvent(new Event("sort"));
  }
}
