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
    return { cells: this.cells, map: this.pairs.map(([its, of]) => (its === process ? rowOf(of) : -1)), hits: this.hits(process, rowOf) };
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
  /** `graphs` are the graphs of the source by kind, `groupOf` gives the row of a tracepoint's group. */
  constructor(section, source, { tracepoints, cpus }, graphs, groupOf) {
    Object.assign(this, { section, graphs, tracepoints });
    this.rows = source.processes.rows;
    this.followed = source.processes.followed;
    this.label = source.label;
    this.seconds = source.processes.seconds;
    this.mark = source.processes.is_estimate ? "~" : "";
    /** The row of the process whose events are shown; `null` for all. */
    this.shown = null;
    const same = (row) => row;
    this.kinds = {
      tracepoints: { pairs: tracepoints, rowOf: same },
      groups: { pairs: tracepoints, rowOf: (row) => groupOf[row] },
      cpus: { pairs: cpus, rowOf: same },
    };
  }

  /** Whether the events of a process are known by tracepoint and CPU. */
  isKnown(process) {
    return this.followed[process] === true;
  }

  /** Shows only the events of a process, or of all if it is `null`. */
  show(process) {
    this.shown = process;
    for (const [kind, { pairs, rowOf }] of Object.entries(this.kinds)) this.graphs[kind].follow(process === null ? null : pairs.of(process, rowOf));
    this.graphs.processes.light((member) => process === null || member === process);
    this.section.querySelectorAll("[data-process]").forEach((row) => row.toggleAttribute("data-chosen", Number(row.dataset.process) === process));
    this.numbers.update();
  }

  /** The tracepoints that each process hit most between two times, in words. */
  mostly(from, to, span, rows) {
    const { pairs, cells } = this.tracepoints;
    const mark = cells.isExact(from, to, span) ? "" : "~";
    const sums = cells.sums(from, to, pairs.map((_, pair) => pair), pairs.length, span);
    const of = new Map();
    pairs.forEach(([process, row], pair) => sums[pair] > 0 && of.set(process, [...(of.get(process) ?? []), [sums[pair], rows[row].name]]));
    const words = (parts) => {
      const all = parts.reduce((sum, [hits]) => sum + hits, 0);
      return parts.sort(([a], [b]) => b - a).slice(0, 3).map(([hits, name]) => `${name} ${mark}${percent(hits / all)}`).join(", ");
    };
    return new Map([...of].map(([process, parts]) => [process, words(parts)]));
  }
}
