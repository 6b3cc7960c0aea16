/**
 * The time that the graphs of a source show, in nanoseconds since its first event. It begins and ends between two cells, so that the
 * events in it are known exactly.
 */
class View {
  constructor({ span, start }, cells, section) {
    /** The last event is within. */
    this.span = span + 1;
    /** The time of the first event by the capture's clock. */
    this.start = BigInt(start);
    this.cells = cells;
    this.section = section;
    this.graphs = [];
    /** What else shows the time: the states, the overview, and the tables. */
    this.others = [];
    // The closest zoom: a cell, ten nanoseconds, or the smallest step that a number can represent at this distance from the start.
    const least = Math.max(10, this.span * 2 ** -40);
    this.least = Math.min(this.span, Math.ceil(least / cells.width) * cells.width);
    [this.from, this.to] = this.wanted = [0, this.span];
    this.tools = section.querySelector(".tools");
    this.shown = section.querySelector(".shown");
    this.tools.querySelectorAll("[data-zoom]").forEach((button) => button.addEventListener("click", () => this.step(button.dataset.zoom)));
    this.tell();
  }

  /** Whether it shows all the time. */
  get isWhole() {
    return this.from === 0 && this.to === this.span;
  }

  /** Whether it cannot show less. */
  get isClosest() {
    return this.to - this.from <= this.least;
  }

  /** Shows another time; `at` is the time that stays where it is. */
  step(what, at = (this.wanted[0] + this.wanted[1]) / 2) {
    if (what === "in") this.zoom(0.5, at);
    if (what === "out") this.zoom(2, at);
    if (what === "left") this.move(-0.25);
    if (what === "right") this.move(0.25);
    if (what === "all") this.all();
  }

  all() {
    this.graphs.forEach((graph) => graph.showAllRows());
    this.set(0, this.span);
  }

  /** Shows `factor` times as much, with `at` where it is. */
  zoom(factor, at) {
    const [from, to] = this.wanted;
    this.set(at - (at - from) * factor, at + (to - at) * factor);
  }

  /** Moves by a part of what is shown. */
  move(part) {
    const [from, to] = this.wanted;
    const length = to - from;
    const begin = Math.min(Math.max(0, from + part * length), this.span - length);
    this.set(begin, begin + length);
  }

  /** Shows the time between two others, and so do the linked sources. */
  set(from, to) {
    const length = Math.min(Math.max(to - from, this.least), this.span);
    const begin = Math.min(Math.max(0, from), this.span - length);
    this.show(begin, begin + length);
    if (selection.isLinked) for (const view of views) if (view !== this) view.follow(this);
  }

  /** Shows the same time as another source, as far as this one has it. */
  follow({ isWhole, from, to }) {
    if (isWhole) this.show(0, this.span);
    else if (from < this.span) this.show(from, Math.min(to, this.span));
  }

  show(from, to) {
    // Slow movements add up, although only whole cells are shown.
    this.wanted = [from, to];
    const { width } = this.cells;
    const cell = (time) => Math.round(time / width) * width;
    this.from = Math.max(0, Math.min(cell(from), Math.floor((this.span - 1) / width) * width));
    this.to = to >= this.span ? this.span : Math.min(Math.max(cell(to), this.from + this.least), this.span);
    // The last cell ends with the last event.
    if (this.to - this.from < this.least) this.from = Math.max(0, Math.ceil((this.to - this.least) / width) * width);
    this.tell();
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.redraw());
    selection.remember();
  }

  redraw() {
    this.graphs.forEach((graph) => graph.redraw());
    this.others.forEach((other) => other.place());
  }

  tell() {
    const step = Math.max(1, (this.to - this.from) / 1000);
    this.shown.textContent = `${seconds(this.from, step)} s to ${seconds(this.to, step)} s${this.isWhole ? " (all)" : ""}`;
  }
}
