/** The whole time of a source in one line, with a frame around the time shown. Dragging moves the frame, or draws another one. */
class Overview {
  constructor(element, view, losses) {
    Object.assign(this, { element, view, losses });
    this.canvas = element.appendChild(document.createElement("canvas"));
    this.frame = element.appendChild(document.createElement("div"));
    this.frame.className = "frame";
    view.others.push(this);
    new ResizeObserver(() => this.place()).observe(element.parentElement);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.paint());
    this.listen();
  }

  place() {
    const { element, view, frame, canvas } = this;
    element.style.marginLeft = `${view.graphs[0].labelWidth()}px`;
    element.style.marginRight = `${RIGHT}px`;
    frame.style.left = `${(100 * view.from) / view.span}%`;
    frame.style.width = `${(100 * (view.to - view.from)) / view.span}%`;
    element.classList.toggle("whole", view.isWhole);
    const width = Math.round(element.clientWidth * devicePixelRatio);
    if (width !== canvas.width) this.paint(width);
  }

  /** The events of all rows; the height goes by the logarithm. */
  paint(width = this.canvas.width) {
    const { canvas, view, losses, element } = this;
    if (width < 1) return;
    canvas.width = width;
    canvas.height = Math.round(element.clientHeight * devicePixelRatio);
    const context = canvas.getContext("2d");
    const colours = palette(false);
    const { span, cells } = view;
    const numbers = cells.grid(0, span, width, Array(cells.rows).fill(0), 1, span);
    const most = numbers.reduce((a, b) => Math.max(a, b), 0);
    context.fillStyle = colours.accent;
    numbers.forEach((number, x) => {
      if (number <= 0) return;
      const height = Math.max(devicePixelRatio, (Math.log1p(number) / Math.log1p(most)) * canvas.height);
      context.fillRect(x, canvas.height - height, 1, height);
    });
    context.fillStyle = colours.lost;
    losses.forEach(([, from, to]) => context.fillRect((from / span) * width, 0, Math.max(devicePixelRatio, ((to - from) / span) * width), canvas.height / 4));
  }

  listen() {
    const { element, view } = this;
    const at = (event) => ((event.clientX - element.getBoundingClientRect().left) / element.clientWidth) * view.span;
    let begin = null;
    element.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      const time = at(event);
      const isInside = !view.isWhole && time >= view.from && time < view.to;
      begin = { time, wanted: isInside ? view.wanted : null };
      element.setPointerCapture(event.pointerId);
    });
    element.addEventListener("pointermove", (event) => {
      if (!begin) return;
      const time = at(event);
      if (begin.wanted) {
        const [from, to] = begin.wanted;
        const shift = Math.min(Math.max(time - begin.time, -from), view.span - to);
        view.set(from + shift, to + shift);
      } else if (Math.abs(time - begin.time) * element.clientWidth > 3 * view.span) view.set(Math.max(0, Math.min(begin.time, time)), Math.min(view.span, Math.max(begin.time, time)));
    });
    // Otherwise the browser would select the line, and drag the selection.
    element.addEventListener("mousedown", (event) => event.preventDefault());
    for (const end of ["pointerup", "pointercancel"]) element.addEventListener(end, () => (begin = null));
    element.addEventListener("dblclick", () => view.all());
  }
}
