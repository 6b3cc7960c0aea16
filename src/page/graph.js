/** Pixels on the right of the rows, for the last time of the axis. */
const RIGHT = 14;

/** Pixels of the axis of times. */
const AXIS = 56;

/**
 * Rows over time: uPlot has the axes and the cursor, the rows are painted under it. Several graphs of one source share their
 * time, which is `view`.
 */
class Graph {
  /**
   * `base` has `rows`: [{name, number, events, group}], by name from the bottom up, their `cells`, and `map`: for each row of the cells its
   * place in `rows`. `onPick(row)` when a row is clicked, or `null` for none; `bands`: see bands.js.
   */
  constructor(element, { label, kind, base, view, bands, onPick }) {
    Object.assign(this, { element, label, kind, base, view, bands, onPick });
    /** Other cells, of one process; `null` for those of all. */
    this.part = null;
    this.isLit = () => true;
    [this.isNear, this.isStale] = [false, true];
    this.rows = base.rows.map((row, member) => ({ ...row, members: [member] }));
    this.showAllRows();
    element.tabIndex = 0;
    element.setAttribute("role", "group");
    const title = element.previousElementSibling;
    // The meaning of the colours in this view.
    this.scale = title.appendChild(document.createElement("small"));
    title.append(saveButton("PNG", `${label} as PNG`, () => savePng(this)), saveButton("SVG", `${label} as SVG`, () => saveSvg(this)));
    this.tip = new Tip(this);
    this.place = Int32Array.from(base.rows.keys());
    this.map = base.map;
    this.order();
    this.plot = new uPlot(this.options(), [[0, 1], [null, null]], element);
    this.gutter = new Gutter(this);
    new ResizeObserver(() => this.resize()).observe(element);
    // Only a graph near the window is painted.
    new IntersectionObserver(([entry]) => {
      this.isNear = entry.isIntersecting;
      if (this.isNear && this.isStale) this.redraw();
    }, { rootMargin: "50%" }).observe(element);
    listen(this);
    view.graphs.push(this);
  }

  get cells() {
    return (this.part ?? this.base).cells;
  }

  /** Arranges the rows as the user wants: which ones, in which order, and groups as one row. */
  arrange() {
    const { base, part, kind } = this;
    const closed = new Map();
    const rows = [];
    base.rows.forEach((row, member) => {
      if (kind === "tracepoints" && (!selection.finds(row.name, row.group) || (selection.isolated && selection.isolated.group !== row.group))) return;
      if (kind === "groups" && !selection.finds(undefined, row.name)) return;
      const events = part ? part.hits.get(member) ?? 0 : row.events;
      if (kind !== "tracepoints" || !selection.isClosed(row.group)) return rows.push({ ...row, events, members: [member] });
      const group = closed.get(row.group) ?? { name: row.group, number: row.gid, group: row.group, events: 0, members: [], isClosed: true };
      if (group.members.length === 0) rows.push(group);
      group.events += events;
      group.members.push(member);
      closed.set(row.group, group);
    });
    const ordered = kind === "cpus" ? rows : inOrder(rows, selection.order, { ...base, base: base.rows, span: this.view.span });
    const isSame = ordered.length === this.rows.length && ordered.every((row, at) => row.members.join() === this.rows[at].members.join());
    this.rows = ordered;
    this.place = new Int32Array(base.rows.length).fill(-1);
    ordered.forEach((row, at) => row.members.forEach((member) => (this.place[member] = at)));
    this.map = (part ?? base).map.map((member) => (member < 0 ? -1 : this.place[member]));
    if (!isSame) {
      this.chosen = -1;
      this.showAllRows();
    }
    this.order();
    this.element.setAttribute("aria-label", `${this.label}: ${ordered.length} rows. Up and down choose a row, Enter isolates it, Escape shows all, and the question mark lists all keys.`);
    this.resize();
    this.redraw();
  }

  order() {
    const { rows } = this;
    this.byEvents = rows.map((_, row) => row).sort((a, b) => rows[b].events - rows[a].events || a - b);
    this.lit = rows.map((row) => (this.kind === "tracepoints" || this.kind === "groups" ? selection.wants(row.isClosed || this.kind === "groups" ? undefined : row.name, row.group) : row.members.some(this.isLit)));
  }

  /** Shows other cells in the same rows: `part` has `cells`, `map`, and by row their `hits`. If it is `null`, shows all events again. */
  follow(part) {
    this.part = part;
    this.arrange();
  }

  /** Which rows are in full colour. */
  light(isLit) {
    this.isLit = isLit;
    this.order();
    this.redraw();
  }

  /** The events of each row of `base` over the time shown, as bars of text. */
  bars() {
    const { from, to, span } = this.view;
    const { cells, map } = this.part ?? this.base;
    const { length } = this.base.rows;
    const grid = cells.grid(from, to, BARS, map, length, span);
    return this.base.rows.map((_, row) => sparkline(grid.subarray(row * BARS, (row + 1) * BARS)));
  }

  width() {
    return this.isPrinted ? 690 : Math.max(200, this.element.clientWidth);
  }

  /** As wide as paper, or as the window. */
  print(isPrinted) {
    this.isPrinted = isPrinted;
    this.resize();
    this.redraw();
  }

  /** High enough for its rows, and for its labels. */
  height() {
    const rows = Math.max(this.rows.length, 1);
    const row = Math.min(Math.max(900 / rows, 1), 17);
    return Math.max(Math.round(rows * row), 60) + AXIS;
  }

  /** The same for all graphs of a source, so that their times are above each other. */
  labelWidth() {
    const key = `${this.width()} ${this.view.graphs.length}`;
    if (this.labelled?.key !== key) {
      const rows = [...this.view.graphs, this].flatMap((graph) => graph.base.rows);
      const longest = rows.reduce((most, row) => Math.max(most, textWidth(row.name.slice(0, MOST_LETTERS) + this.numberOf(row))), 40);
      this.labelled = { key, width: Math.min(Math.ceil(longest) + 14 + TOGGLE, Math.floor(this.width() * 0.36), 340) };
    }
    return this.labelled.width;
  }

  /** A row's number behind its name, where there is room for both. */
  numberOf(row) {
    return row.number == null || this.width() < 600 ? "" : ` ${row.number}`;
  }

  options() {
    const colours = () => palette(this.isPrinted);
    return {
      width: this.width(),
      height: this.height(),
      padding: [6, RIGHT, 0, 0],
      legend: { show: false },
      cursor: {
        points: { show: false },
        drag: { x: true, y: true, uni: 24, setScale: false },
        bind: { dblclick: () => () => this.view.all() },
      },
      select: { show: true },
      scales: {
        x: { time: false, range: () => [this.view.from / 1e9, this.view.to / 1e9] },
        y: { range: () => this.span },
      },
      series: [{}, { show: true, paths: () => null, points: { show: false } }],
      axes: [
        {
          font: FONT, size: 34, stroke: () => colours().text, grid: { stroke: () => colours().line, width: 1 }, ticks: { stroke: () => colours().frame },
          values: (_, splits, __, ___, step) => marks(splits, step),
          label: "seconds from the start", labelSize: 16, labelFont: FONT,
        },
        {
          font: FONT, size: () => this.labelWidth(), stroke: () => colours().text, grid: { show: false }, ticks: { stroke: () => colours().frame, size: 4 }, gap: 4,
          splits: () => this.labels(), values: (_, splits) => splits.map((row) => this.labelOf(row)),
        },
      ],
      hooks: {
        drawClear: [(plot) => this.isStale || this.within(plot, (frame) => paintBack(this, frame))],
        drawAxes: [(plot) => this.isStale || this.within(plot, (frame) => this.paint(frame))],
        setCursor: [() => this.tip.hover()],
        setSelect: [(plot) => this.zoomTo(plot.select)],
      },
    };
  }

  /** The rows that are labelled: the busiest of those shown, as far as labels have room. */
  labels() {
    const [low, high] = this.span;
    const apart = Math.ceil(12 / ((this.height() - AXIS) / (high - low)));
    const chosen = [];
    const free = new Uint8Array(this.rows.length).fill(1);
    const lit = this.byEvents.filter((row) => this.lit[row]);
    for (const row of [...lit, ...this.byEvents.filter((row) => !this.lit[row])]) {
      if (row < low || row > high || !free[row]) continue;
      chosen.push(row);
      free.fill(0, Math.max(0, row - apart + 1), row + apart);
    }
    return chosen.sort((a, b) => a - b);
  }

  labelOf(row) {
    const { name, isClosed, members } = this.rows[row];
    const number = isClosed ? ` (${members.length})` : this.numberOf(this.rows[row]);
    const room = this.labelWidth() - 14 - TOGGLE;
    const fits = (text) => text.length <= MOST_LETTERS && textWidth(text + number) <= room;
    if (fits(name)) return name + number;
    // The neighbours show the group.
    const short = name.slice(name.indexOf(":") + 1);
    if (fits(short)) return short + number;
    const letters = [...short.slice(0, MOST_LETTERS)];
    let [low, high] = [0, letters.length];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (fits(`${letters.slice(0, middle).join("")}…`)) low = middle;
      else high = middle - 1;
    }
    return `${letters.slice(0, low).join("")}…${number}`;
  }

  /** Calls `paint` with where things are, in pixels of the canvas; it can paint nowhere else. */
  within({ ctx, bbox }, paint) {
    const [left, top, width, height] = [bbox.left, bbox.top, bbox.width, bbox.height].map(Math.round);
    if (width < 1 || height < 1) return;
    const { from, to } = this.view;
    const x = (time) => left + ((time - from) / (to - from)) * width;
    const y = (row) => top + height - ((row - this.span[0]) / (this.span[1] - this.span[0])) * height;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, top, width, height);
    ctx.clip();
    paint({ ctx, left, top, width, height, x, y, colours: palette(this.isPrinted) });
    ctx.restore();
  }

  /** The events in so many columns of the time shown, of the rows that are shown: the first row and how many there are, and their numbers. */
  grid(columns) {
    const [first, last] = [Math.ceil(this.span[0]), Math.floor(this.span[1])];
    const count = last - first + 1;
    const shown = this.map.map((row) => (row >= first && row <= last ? row - first : -1));
    const { from, to, span } = this.view;
    return { first, count, numbers: this.cells.grid(from, to, columns, shown, count, span) };
  }

  /** The events themselves. */
  paint({ ctx, left, top, width, height, x, y, colours }) {
    const { first, count, numbers } = this.grid(width);
    const { canvas, most } = paintRows(numbers, width, count, this.lit.slice(first, first + count), height, rampOf(this.isPrinted));
    ctx.drawImage(canvas, left, top);
    paintThinned(this, { ctx, x, y, colours });
    // A column shows only a part of a bin that is wider than the column.
    const { from, to } = this.view;
    const column = (to - from) / width;
    const counted = Math.max(column, this.cells.width);
    const events = Math.round((most * counted) / column);
    this.scale.textContent = most > 0 ? `${events > 1 ? `1 to ${grouped(events)} events` : "1 event"} in ${duration(counted)}` : "";
    if (this.chosen >= 0) {
      ctx.strokeStyle = colours.accent;
      ctx.lineWidth = devicePixelRatio;
      const [y0, y1] = [y(this.chosen + 0.5), y(this.chosen - 0.5)];
      ctx.strokeRect(left + 0.5, y0 - 1, width - 1, Math.max(y1 - y0, 3) + 2);
    }
    ctx.strokeStyle = colours.frame;
    ctx.lineWidth = 1;
    ctx.strokeRect(left + 0.5, top + 0.5, width - 1, height - 1);
  }

  /** Every second group of rows, from the first row of it to the last. In another order than by name, groups are not together. */
  shades() {
    if (selection.order !== "name") return [];
    const groups = [];
    this.rows.forEach((row, number) => {
      const last = groups[groups.length - 1];
      if (last && last[2] === row.group) last[1] = number;
      else groups.push([number, number, row.group]);
    });
    return groups.filter((_, number) => number % 2 === 0);
  }

  /** The row and the time in nanoseconds under the cursor; `null` outside. */
  under() {
    const { left, top } = this.plot.cursor;
    if (left == null || left < 0 || top < 0) return null;
    const row = Math.round(this.plot.posToVal(top, "y"));
    if (row < 0 || row >= this.rows.length) return null;
    return { row, time: this.plot.posToVal(left, "x") * 1e9, left, top };
  }

  zoomTo(select) {
    if (!this.dragged || (select.width < 3 && select.height < 3)) return;
    this.dragged = false;
    const full = (size, of) => size < 3 || size >= of - 1;
    const { clientWidth, clientHeight } = this.plot.over;
    if (!full(select.height, clientHeight)) {
      const [high, low] = [select.top, select.top + select.height].map((at) => Math.round(this.plot.posToVal(at, "y")));
      this.showRows(Math.max(0, low), Math.min(this.rows.length - 1, high));
    }
    if (!full(select.width, clientWidth)) {
      const [from, to] = [select.left, select.left + select.width].map((at) => this.plot.posToVal(at, "x") * 1e9);
      this.view.set(from, to);
    }
    this.plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  }

  showAllRows() {
    this.span = [-0.5, Math.max(this.rows.length, 1) - 0.5];
  }

  /** Whether some rows are outside of the graph. */
  get isRowZoom() {
    return this.span[1] - this.span[0] < Math.max(this.rows.length, 1);
  }

  /** Shows the rows from one to another. */
  showRows(first, last) {
    if (last < first) return;
    this.span = [first - 0.5, last + 0.5];
    this.redraw();
    selection.remember();
  }

  redraw() {
    this.isStale = !this.isNear && !this.isPrinted;
    if (this.isStale) return;
    // uPlot asks for the ranges of its scales again when it gets data, and for the labels only when told to.
    this.plot.batch(() => {
      this.plot.setData(this.plot.data);
      this.plot.redraw(false, true);
    });
    this.gutter.draw();
  }

  resize() {
    const size = { width: this.width(), height: this.height() };
    if (size.width !== this.plot.width || size.height !== this.plot.height) {
      this.plot.setSize(size);
      this.gutter.draw();
    }
  }

  /** Where a row and a time are, in pixels from the element's corner. */
  at(row, time) {
    const { over } = this.plot;
    return {
      left: over.offsetLeft + this.plot.valToPos((time + this.cells.width / 2) / 1e9, "x"),
      top: over.offsetTop + this.plot.valToPos(row, "y"),
    };
  }
}
