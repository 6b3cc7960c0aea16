/** Pixels on the right of the rows, for the last time of the axis. */
const RIGHT = 14;

/**
 * Rows over time: uPlot has the axes and the cursor, the rows are painted under it. Several graphs of one source share their
 * time, which is `view`.
 */
class Graph {
  /**
   * `rows`: [{name, number, events, group}]; `map`: for each row of the cells its place in `rows`; `onPick(row)` when a row is
   * clicked; `bands`: losses [row or -1, from, to, samples, CPU],
   * unwatched [row or -1, from, to, CPU], gaps [from, to] and thinned {row, from, to, least, most, name}: an event stands for
   * least to most hits, or the tracepoint is detached if that is 0.
   */
  constructor(element, { label, kind, rows, cells, map, view, bands, onPick }) {
    Object.assign(this, { element, label, kind, rows, cells, map, view, bands, onPick });
    this.whole = { cells, map, rows };
    this.lit = rows.map(() => true);
    this.span = [-0.5, Math.max(rows.length, 1) - 0.5];
    this.chosen = -1;
    this.order();
    element.tabIndex = 0;
    element.setAttribute("role", "group");
    element.setAttribute("aria-label", `${label}: ${rows.length} rows. Keys: plus and minus zoom, left and right move, up and down choose a row, Enter isolates it, Escape shows all.`);
    // The meaning of the colours in this view.
    this.scale = element.previousElementSibling.appendChild(document.createElement("small"));
    this.tip = element.appendChild(document.createElement("div"));
    this.tip.className = "tip";
    this.tip.hidden = true;
    this.plot = new uPlot(this.options(), [[0, 1], [null, null]], element);
    new ResizeObserver(() => this.resize()).observe(element);
    this.listen();
    view.graphs.push(this);
  }

  order() {
    const { rows } = this;
    this.byEvents = rows.map((_, row) => row).sort((a, b) => rows[b].events - rows[a].events || a - b);
  }

  /** Shows other cells in the same rows: `hits` has those of each row. If it is `null`, shows all events again. */
  follow(part) {
    const { cells, map, rows } = this.whole;
    const of = (row, number) => ({ ...row, events: part.hits.get(number) ?? 0 });
    Object.assign(this, part ? { cells: part.cells, map: part.map, rows: rows.map(of) } : { cells, map, rows });
    this.order();
    this.redraw();
  }

  /** The events of each row over all the time, as bars of text. */
  bars() {
    const { span } = this.view;
    const grid = this.cells.grid(0, span, BARS, this.map, this.rows.length, span);
    return this.rows.map((_, row) => sparkline(grid.subarray(row * BARS, (row + 1) * BARS)));
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
    return Math.max(Math.round(rows * row), 60) + 56;
  }

  /** The same for all graphs of a source, so that their times are above each other. */
  labelWidth() {
    const key = `${this.width()} ${this.view.graphs.length}`;
    if (this.labelled?.key !== key) {
      const rows = this.view.graphs.flatMap((graph) => graph.rows).concat(this.rows);
      const longest = rows.reduce((most, row) => Math.max(most, textWidth(row.name.slice(0, MOST_LETTERS) + this.numberOf(row))), 40);
      this.labelled = { key, width: Math.min(Math.ceil(longest) + 14, Math.floor(this.width() * 0.36), 320) };
    }
    return this.labelled.width;
  }

  /** A row's number behind its name, where there is room for both. */
  numberOf(row) {
    return row.number === null || this.width() < 600 ? "" : ` ${row.number}`;
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
        drawClear: [(plot) => this.paintBack(plot)],
        drawAxes: [(plot) => this.paintRows(plot)],
        setCursor: [() => this.hover()],
        setSelect: [(plot) => this.zoomTo(plot.select)],
      },
    };
  }

  /** The rows that are labelled: the busiest of those shown, as far as labels have room. */
  labels() {
    const [low, high] = this.span;
    const apart = Math.ceil(12 / ((this.height() - 56) / (high - low)));
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
    const { name } = this.rows[row];
    const number = this.numberOf(this.rows[row]);
    const room = this.labelWidth() - 14;
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

  /** What is behind the lines of the axes. */
  paintBack(plot) {
    this.within(plot, ({ ctx, left, top, width, height, x, y, colours }) => {
      ctx.fillStyle = colours.shade;
      this.shades().forEach(([first, last]) => ctx.fillRect(left, y(last + 0.5), width, y(first - 0.5) - y(last + 0.5)));
      const band = (colour, alpha, start, end, row) => {
        ctx.fillStyle = colour;
        ctx.globalAlpha = alpha;
        const [y0, y1] = row < 0 ? [top, top + height] : [y(row + 0.5), y(row - 0.5)];
        ctx.fillRect(x(start), y0, Math.max(x(end) - x(start), 1.5 * devicePixelRatio), y1 - y0);
        ctx.globalAlpha = 1;
      };
      this.bands.gaps.forEach(([start, end]) => band(colours.gap, 0.3, start, end, -1));
      this.bands.unwatched.forEach(([row, start, end]) => band(colours.unwatched, 0.25, start, end, row));
      this.bands.losses.forEach(([row, start, end]) => band(colours.lost, 0.3, start, end, row));
      this.paintDetached(ctx, x, y, colours);
    });
  }

  /** The events themselves. */
  paintRows(plot) {
    this.within(plot, ({ ctx, left, top, width, height, x, y, colours }) => {
      const [first, last] = [Math.ceil(this.span[0]), Math.floor(this.span[1])];
      const rows = last - first + 1;
      const shown = this.map.map((row) => (row >= first && row <= last ? row - first : -1));
      const { from, to, span } = this.view;
      const grid = this.cells.grid(from, to, width, shown, rows, span);
      const { canvas, most } = paintRows(grid, width, rows, this.lit.slice(first, last + 1), height);
      ctx.drawImage(canvas, left, top);
      this.paintThinned(ctx, x, y, colours);
      // A column shows only a part of a bin that is wider than the column.
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
    });
  }

  /** A shade where tracepoints were detached, like that of a CPU that was not watched. */
  paintDetached(ctx, x, y, colours) {
    ctx.globalAlpha = 0.3;
    this.fillBands(ctx, x, y, colours.detached, ({ least }) => least === 0);
    ctx.globalAlpha = 1;
  }

  /** Stripes where tracepoints were thinned, over their events: these are only some of the hits. */
  paintThinned(ctx, x, y, colours) {
    this.fillBands(ctx, x, y, stripes(ctx, colours.stripe), ({ least }) => least > 0);
  }

  /** Fills the bands of a rung. A group has those of several tracepoints, which are no darker where they overlap. */
  fillBands(ctx, x, y, fill, isWanted) {
    const { from, to } = this.view;
    const shown = this.bands.thinned.filter((band) => isWanted(band) && band.to > from && band.from < to && band.row > this.span[0] && band.row < this.span[1]);
    if (shown.length === 0) return;
    ctx.fillStyle = fill;
    ctx.beginPath();
    for (const { row, from: begin, to: end, most } of shown) {
      const [x0, x1, y0, y1] = [x(begin), x(end), y(row + 0.5), y(row - 0.5)];
      // The first milliseconds of a recording, in which an event stands for two hits, are no wider than they are.
      const least = most === 2 ? 0 : 1.5 * devicePixelRatio;
      ctx.rect(x0, y0, Math.max(x1 - x0, least), Math.max(y1 - y0, 1));
    }
    ctx.fill();
  }

  /** Every second group of rows, from the first row of it to the last. */
  shades() {
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

  hover() {
    const under = this.under();
    this.tip.hidden = true;
    if (!under) return;
    const reach = ((this.view.to - this.view.from) / this.plot.over.clientWidth) * 5;
    // A row may be too thin to point at, so the search includes its neighbours.
    const near = Math.max(0, Math.ceil((3 * (this.span[1] - this.span[0])) / this.plot.over.clientHeight) - 1);
    let found = null;
    for (let away = 0; away <= near && !found; away++) {
      for (const row of away ? [under.row - away, under.row + away] : [under.row]) {
        if (row < 0 || row >= this.rows.length) continue;
        found ??= ((cell) => cell && { row, cell })(this.cells.nearest(this.map, row, under.time, reach));
      }
    }
    const losses = this.bands.losses.filter(([row, start, end]) => (row < 0 || row === under.row) && under.time >= start - reach && under.time <= end + reach);
    const gap = this.bands.gaps.find(([start, end]) => under.time >= start && under.time <= end);
    const lines = found ? this.describe(found.row, found.cell) : [];
    for (const [, start, end, lost, cpu] of losses.slice(0, 4)) {
      const step = Math.max(1, (end - start) / 10);
      lines.push(`${cpu} lost ${grouped(lost)} ${lost === 1 ? "event" : "events"} from ${seconds(start, step)} to ${seconds(end, step)} s`);
    }
    for (const [row, start, end, cpu] of this.bands.unwatched) {
      if ((row < 0 || row === under.row) && under.time >= start && under.time <= end) lines.push(`tp-perf did not watch ${cpu} here`);
    }
    const row = found?.row ?? under.row;
    const thinned = this.bands.thinned.filter((band) => band.row === row && under.time >= band.from && under.time <= band.to);
    for (const { least, most, name } of thinned.slice(0, 4)) {
      if (least === 0) lines.push(`${name} was detached here: its hits were not counted`);
      else lines.push(`${name} was thinned here: one in ${grouped(least)}${most > least ? ` to ${grouped(most)}` : ""} hits is an event`);
    }
    if (!found && gap) lines.push(`nothing recorded for ${duration(gap[1] - gap[0])}`);
    if (lines.length === 0) return;
    this.hovered = found;
    this.show(lines, under.left + this.plot.over.offsetLeft, under.top + this.plot.over.offsetTop);
  }

  describe(row, cell) {
    const { name, group } = this.rows[row];
    const width = this.cells.width;
    const events = cell.events === 1 ? "1 event" : `${grouped(cell.events)} events`;
    const within = width > 1 ? ` in ${duration(width)}` : "";
    const of = group !== undefined && group !== name ? [`group ${group}`] : [];
    const clock = this.view.start + BigInt(cell.start);
    return [name, ...of, `${seconds(cell.start, width)} s: ${events}${within}`, `${width > 1 ? "from " : ""}${clock} of the clock`];
  }

  show(lines, left, top) {
    const [first, ...rest] = lines;
    this.tip.replaceChildren();
    this.tip.appendChild(document.createElement("b")).textContent = first;
    rest.forEach((line) => (this.tip.appendChild(document.createElement("span")).append(line, document.createElement("br"))));
    this.tip.hidden = false;
    const [width, height] = [this.tip.offsetWidth, this.tip.offsetHeight];
    this.tip.style.left = `${Math.max(0, Math.min(left + 14, this.element.clientWidth - width))}px`;
    this.tip.style.top = `${top + 16 + height > this.element.clientHeight ? Math.max(0, top - height - 10) : top + 16}px`;
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

  /** Shows the rows from one to another. */
  showRows(first, last) {
    this.span = [first - 0.5, last + 0.5];
    this.redraw();
  }

  /** Which rows are in full colour. */
  light(lit) {
    this.lit = lit;
    this.redraw();
  }

  redraw() {
    // uPlot asks for the ranges of its scales again when it gets data.
    this.plot.setData(this.plot.data);
  }

  resize() {
    const size = { width: this.width(), height: this.height() };
    if (size.width !== this.plot.width || size.height !== this.plot.height) this.plot.setSize(size);
  }

  /** Chooses a row by key, and tells where it is busiest of what is shown. */
  choose(step) {
    const rows = this.rows.map((_, row) => row).filter((row) => this.lit[row] && row > this.span[0] && row < this.span[1]);
    if (rows.length === 0) return;
    const at = rows.indexOf(this.chosen);
    this.chosen = rows[Math.min(rows.length - 1, Math.max(0, at < 0 ? (step > 0 ? 0 : rows.length - 1) : at + step))];
    this.redraw();
    const busiest = this.busiest(this.chosen);
    const lines = busiest ? this.describe(this.chosen, busiest) : [this.rows[this.chosen].name, "no events in the time shown"];
    const at2 = this.place(this.chosen, busiest ? busiest.start : this.view.from);
    this.show(lines, at2.left, at2.top);
    announce(`${lines.join(", ")}; ${grouped(this.rows[this.chosen].events)} in all`);
  }

  /** The bin of a row with most events, of the time shown. */
  busiest(row) {
    const { cells, view } = this;
    let best = null;
    for (let index = cells.from(view.from); index < cells.bins.length && cells.bins[index] * cells.width < view.to; index++) {
      let events = 0;
      for (let cell = cells.starts[index]; cell < cells.starts[index + 1]; cell++) if (this.map[cells.row[cell]] === row) events += cells.count[cell];
      if (events > (best?.events ?? 0)) best = { start: cells.bins[index] * cells.width, events };
    }
    return best;
  }

  /** Where a row and a time are, in pixels from the element's corner. */
  place(row, time) {
    const { over } = this.plot;
    return {
      left: over.offsetLeft + this.plot.valToPos((time + this.cells.width / 2) / 1e9, "x"),
      top: over.offsetTop + this.plot.valToPos(row, "y"),
    };
  }

  listen() {
    const { over } = this.plot;
    const { view } = this;
    this.element.addEventListener("keydown", (event) => {
      const zoom = { "+": "in", "=": "in", "-": "out", _: "out", ArrowLeft: "left", ArrowRight: "right", 0: "all", Home: "all" }[event.key];
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (zoom) view.step(zoom);
      else if (event.key === "ArrowUp") this.choose(1);
      else if (event.key === "ArrowDown") this.choose(-1);
      else if (event.key === "Enter" && this.chosen >= 0) this.onPick(this.chosen);
      else if (event.key === "Escape") {
        this.chosen = -1;
        this.tip.hidden = true;
        this.onPick(-1);
      } else return;
      event.preventDefault();
    });
    this.element.addEventListener("blur", () => {
      this.chosen = -1;
      this.tip.hidden = true;
      this.redraw();
    });
    over.addEventListener("wheel", (event) => {
      const at = this.plot.posToVal(event.offsetX, "x") * 1e9;
      if (event.ctrlKey || event.metaKey) view.zoom(Math.exp(event.deltaY * 0.004), at);
      else if (Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey) view.move((event.deltaX || event.deltaY) / over.clientWidth);
      else return;
      event.preventDefault();
    }, { passive: false });

    // With Shift or the middle button, the mouse pans. Otherwise uPlot lets the user select the part to zoom to.
    let pan = null;
    let down = null;
    over.addEventListener("mousedown", (event) => {
      down = { x: event.clientX, y: event.clientY };
      this.dragged = false;
      if (event.shiftKey || event.button === 1) {
        pan = event.clientX;
        event.preventDefault();
        event.stopImmediatePropagation();
      }
    }, { capture: true });
    addEventListener("mousemove", (event) => {
      if (pan !== null) {
        view.move((pan - event.clientX) / over.clientWidth);
        pan = event.clientX;
      } else if (down) this.dragged ||= Math.hypot(event.clientX - down.x, event.clientY - down.y) > 3;
    }, { capture: true });
    addEventListener("mouseup", (event) => {
      const isClick = down && pan === null && Math.hypot(event.clientX - down.x, event.clientY - down.y) <= 3;
      const inside = over.contains(event.target);
      [pan, down] = [null, null];
      if (isClick && inside && event.button === 0) this.onPick(this.hovered && !this.tip.hidden ? this.hovered.row : -1);
    }, { capture: true });
    over.addEventListener("mouseleave", () => (this.tip.hidden = true));

    // One finger pans, two fingers zoom.
    const fingers = new Map();
    over.addEventListener("pointerdown", (event) => event.pointerType === "touch" && fingers.set(event.pointerId, event.clientX));
    for (const end of ["pointerup", "pointercancel", "pointerleave"]) over.addEventListener(end, (event) => fingers.delete(event.pointerId));
    over.addEventListener("pointermove", (event) => {
      if (!fingers.has(event.pointerId)) return;
      const before = [...fingers.values()];
      fingers.set(event.pointerId, event.clientX);
      const after = [...fingers.values()];
      if (after.length === 1) view.move((before[0] - after[0]) / over.clientWidth);
      if (after.length === 2) {
        const spread = (xs) => Math.max(10, Math.abs(xs[0] - xs[1]));
        const middle = (after[0] + after[1]) / 2 - over.getBoundingClientRect().left;
        view.zoom(spread(before) / spread(after), this.plot.posToVal(middle, "x") * 1e9);
      }
    });
  }
}
