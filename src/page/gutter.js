/** Pixels for the buttons that open and close groups. */
const TOGGLE = 14;

/** The left of a graph: the name of the row under the pointer, which may have no label, and the buttons that open and close groups. */
class Gutter {
  constructor(graph) {
    this.graph = graph;
    this.buttons = graph.element.appendChild(document.createElement("div"));
    this.label = graph.element.appendChild(document.createElement("div"));
    this.label.className = "name";
    this.label.hidden = true;
    const row = (event) => {
      const { over } = graph.plot;
      const top = event.clientY - over.getBoundingClientRect().top;
      const isHere = event.clientX < over.getBoundingClientRect().left && top >= 0 && top < over.clientHeight;
      const row = isHere ? Math.round(graph.plot.posToVal(top, "y")) : -1;
      return row >= 0 && row < graph.rows.length ? row : -1;
    };
    graph.element.addEventListener("mousemove", (event) => !graph.plot.over.contains(event.target) && this.name(row(event)));
    graph.element.addEventListener("mouseleave", () => this.name(-1));
    graph.element.addEventListener("click", (event) => {
      if (row(event) >= 0 && event.target.localName !== "button") graph.onPick(graph.rows[row(event)]);
    });
    graph.element.addEventListener("mousemove", (event) => graph.element.classList.toggle("picks", row(event) >= 0));
  }

  /** Shows the whole name of a row at its place; of none, if it is -1. */
  name(row) {
    const { graph, label } = this;
    label.hidden = row < 0;
    if (row < 0) return;
    const { name, number, isClosed, members } = graph.rows[row];
    label.textContent = name + (isClosed ? ` (${members.length} tracepoints)` : number == null ? "" : ` ${number}`);
    const { over } = graph.plot;
    // A name that is longer than its place reaches over the graph.
    label.style.right = `${Math.min(graph.element.clientWidth - over.offsetLeft, graph.element.clientWidth - label.offsetWidth)}px`;
    label.style.top = `${over.offsetTop + graph.plot.valToPos(row, "y") - label.offsetHeight / 2}px`;
  }

  /** Puts a button beside each closed group, and beside the first row of each open one, as far as they have room. */
  draw() {
    const { graph, buttons } = this;
    if (graph.kind !== "tracepoints") return;
    const { over } = graph.plot;
    const groups = [];
    const { rows, span } = graph;
    for (let row = Math.floor(span[1]); row >= Math.ceil(span[0]); row--) {
      const isFirst = selection.order === "name" && rows[row + 1]?.group !== rows[row]?.group;
      if (rows[row] && (rows[row].isClosed || isFirst)) groups.push([row, rows[row]]);
    }
    const key = JSON.stringify([span, over.offsetTop, over.clientHeight, groups.map(([row, { name }]) => [row, name])]);
    if (key === this.drawn) return;
    this.drawn = key;
    let last = -Infinity;
    buttons.replaceChildren();
    for (const [row, { group, isClosed }] of groups) {
      const top = over.offsetTop + graph.plot.valToPos(row, "y");
      if (top - last < 12) continue;
      last = top;
      const button = buttons.appendChild(document.createElement("button"));
      button.type = "button";
      button.className = "toggle";
      // Keys open and close the group of the chosen row.
      button.tabIndex = -1;
      button.textContent = isClosed ? "▸" : "▾";
      button.title = `${isClosed ? "Open" : "Close"} the group ${group}`;
      button.setAttribute("aria-label", button.title);
      button.setAttribute("aria-expanded", !isClosed);
      button.style.top = `${top - 8}px`;
      button.addEventListener("click", () => selection.toggle(group));
    }
  }
}
