/** The time that the graphs of a source show, in nanoseconds since its first event. */
class View {
  constructor({ span, start }, tools) {
    /** The last event is within. */
    this.span = span + 1;
    /** The time of the first event by the capture's clock. */
    this.start = BigInt(start);
    this.graphs = [];
    /** The states over time, if they are known. */
    this.strip = null;
    [this.from, this.to] = [0, this.span];
    this.shown = tools.querySelector(".shown");
    tools.querySelectorAll("[data-zoom]").forEach((button) => button.addEventListener("click", () => this.step(button.dataset.zoom)));
    this.tell();
  }

  step(what) {
    const middle = (this.from + this.to) / 2;
    if (what === "in") this.zoom(0.5, middle);
    if (what === "out") this.zoom(2, middle);
    if (what === "left") this.move(-0.25);
    if (what === "right") this.move(0.25);
    if (what === "all") this.all();
  }

  all() {
    this.graphs.forEach((graph) => (graph.span = [-0.5, Math.max(graph.rows.length, 1) - 0.5]));
    this.set(0, this.span);
  }

  /** Shows `factor` times as much, with `at` where it is. */
  zoom(factor, at) {
    this.set(at - (at - this.from) * factor, at + (this.to - at) * factor);
  }

  /** Moves by a part of what is shown. */
  move(part) {
    const length = this.to - this.from;
    const from = Math.min(Math.max(0, this.from + part * length), this.span - length);
    this.set(from, from + length);
  }

  set(from, to) {
    // The closest zoom: ten nanoseconds, or the smallest step that a number can represent at this distance from the start.
    const least = Math.max(10, this.span * 2 ** -40);
    const length = Math.min(Math.max(to - from, Math.min(least, this.span)), this.span);
    this.from = Math.min(Math.max(0, from), this.span - length);
    this.to = this.from + length;
    this.tell();
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.redraw());
  }

  redraw() {
    this.graphs.forEach((graph) => graph.redraw());
    this.strip?.place();
  }

  tell() {
    const step = Math.max(1, (this.to - this.from) / 1000);
    const all = this.from === 0 && this.to === this.span ? " (all)" : "";
    this.shown.textContent = `${seconds(this.from, step)} s to ${seconds(this.to, step)} s${all}`;
  }
}
