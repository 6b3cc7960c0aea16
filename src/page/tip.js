/** What a graph shows under the pointer, or of the row that the keyboard chose. */
class Tip {
  constructor(graph) {
    this.graph = graph;
    this.box = graph.element.appendChild(document.createElement("div"));
    this.box.className = "tip";
    this.hide();
  }

  hide() {
    this.box.hidden = true;
    /** The row under the pointer; -1 for none. */
    this.row = -1;
  }

  hover() {
    const { graph } = this;
    const { view, plot, map, cells, rows, place } = graph;
    const under = graph.under();
    this.hide();
    graph.gutter?.name(-1);
    if (!under) return;
    const reach = ((view.to - view.from) / plot.over.clientWidth) * 5;
    // A row may be too thin to point at, so the search includes its neighbours.
    const near = Math.max(0, Math.ceil((3 * (graph.span[1] - graph.span[0])) / plot.over.clientHeight) - 1);
    let found = null;
    for (let away = 0; away <= near && !found; away++) {
      for (const row of away ? [under.row - away, under.row + away] : [under.row]) {
        if (row < 0 || row >= rows.length) continue;
        found ??= ((cell) => cell && { row, cell })(cells.nearest(map, row, under.time, reach));
      }
    }
    const { bands } = graph;
    const isHere = (member) => member < 0 || place[member] === under.row;
    const losses = bands.losses.filter(([member, start, end]) => isHere(member) && under.time >= start - reach && under.time <= end + reach);
    const lines = found ? this.describe(found.row, found.cell) : this.silence(under.row, under.time);
    for (const [, start, end, lost, cpu] of losses.slice(0, 4)) {
      const step = Math.max(1, (end - start) / 10);
      lines.push(`${cpu} lost ${grouped(lost)} ${lost === 1 ? "event" : "events"} from ${seconds(start, step)} to ${seconds(end, step)} s`);
    }
    for (const [member, start, end, cpu] of bands.unwatched) {
      if (isHere(member) && under.time >= start && under.time <= end) lines.push(`tp-perf did not watch ${cpu} here`);
    }
    const row = found?.row ?? under.row;
    const thinned = bands.thinned.filter((band) => place[band.row] === row && under.time >= band.from && under.time <= band.to);
    for (const { least, most, name } of thinned.slice(0, 4)) {
      if (least === 0) lines.push(`${name} was detached here: its hits were not counted`);
      else lines.push(`${name} was thinned here: one hit in ${grouped(least)}${most > least ? ` to ${grouped(most)}` : ""} was recorded`);
    }
    this.row = row;
    graph.gutter.name(row);
    this.show(lines, under.left + plot.over.offsetLeft, under.top + plot.over.offsetTop);
  }

  /** The lines for events of a row. */
  describe(row, cell) {
    const { rows, cells, view } = this.graph;
    const { name, group, isClosed, members } = rows[row];
    const width = cells.width;
    const events = cell.events === 1 ? "1 event" : `${grouped(cell.events)} events`;
    const within = width > 1 ? ` in ${duration(width)}` : "";
    const of = isClosed ? [`closed group of ${members.length} tracepoints`] : group !== undefined && group !== name ? [`group ${group}`] : [];
    const clock = view.start + BigInt(cell.start);
    return [name, ...of, `${seconds(cell.start, width)} s: ${events}${within}`, `${width > 1 ? "from " : ""}timestamp ${clock} ns`];
  }

  /** The lines for a place without events: for how long, and of what. */
  silence(row, time) {
    const { rows, cells, map, view, bands } = this.graph;
    const words = ([from, to]) => {
      const step = Math.max(1, (to - from) / 1000);
      return `from ${seconds(from, step)} to ${seconds(to, step)} s (${duration(to - from)})`;
    };
    const all = view.cells.silence(time, view.span, null, null);
    const own = cells.silence(time, view.span, map, row);
    const lines = [rows[row].name];
    if (own[1] > own[0]) lines.push(`no events ${words(own)}`);
    if (all[1] > all[0]) {
      const isGap = bands.gaps.some(([start, end]) => time >= start && time <= end);
      const who = view.isAll ? "no CPU recorded anything" : "no selected event was recorded";
      lines.push(`${who} ${words(all)}${isGap ? "; this is far longer than usual in this recording" : ""}`);
    }
    return lines;
  }

  show(lines, left, top) {
    const { box, graph } = this;
    const [first, ...rest] = lines;
    box.replaceChildren();
    box.appendChild(document.createElement("b")).textContent = first;
    rest.forEach((line) => box.appendChild(document.createElement("span")).append(line, document.createElement("br")));
    box.hidden = false;
    const [width, height] = [box.offsetWidth, box.offsetHeight];
    box.style.left = `${Math.max(0, Math.min(left + 14, graph.element.clientWidth - width))}px`;
    box.style.top = `${top + 16 + height > graph.element.clientHeight ? Math.max(0, top - height - 10) : top + 16}px`;
  }

  /** Chooses a row by key, and shows where the row is busiest in the time shown. */
  choose(step) {
    const { graph } = this;
    const rows = graph.rows.map((_, row) => row).filter((row) => graph.lit[row] && row > graph.span[0] && row < graph.span[1]);
    if (rows.length === 0) return;
    const at = rows.indexOf(graph.chosen);
    graph.chosen = rows[Math.min(rows.length - 1, Math.max(0, at < 0 ? (step > 0 ? 0 : rows.length - 1) : at + step))];
    graph.redraw();
    const row = graph.chosen;
    const busiest = this.busiest(row);
    const lines = busiest ? this.describe(row, busiest) : [graph.rows[row].name, "no events in the time shown"];
    const { left, top } = graph.at(row, busiest ? busiest.start : graph.view.from);
    this.show(lines, left, top);
    graph.gutter.name(row);
    announce(`${lines.join(", ")}; ${grouped(graph.rows[row].events)} in all`);
  }

  /** The bin of a row with most events, of the time shown. */
  busiest(row) {
    const { cells, view, map } = this.graph;
    let best = null;
    for (let index = cells.from(view.from); index < cells.bins.length && cells.bins[index] * cells.width < view.to; index++) {
      let events = 0;
      for (let cell = cells.starts[index]; cell < cells.starts[index + 1]; cell++) if (map[cells.row[cell]] === row) events += cells.count[cell];
      if (events > (best?.events ?? 0)) best = { start: cells.bins[index] * cells.width, events };
    }
    return best;
  }
}
