/** The states of a source, in a strip that shows the same time as the graphs below it, and at the same place. */
class Strip {
  constructor(element, view) {
    Object.assign(this, { element, view });
    this.spans = [...element.children].map((span) => ({ span, from: Number(span.dataset.from), to: Number(span.dataset.to) }));
    view.others.push(this);
    new ResizeObserver(() => this.place()).observe(element.parentElement);
  }

  place() {
    const { from, to, graphs } = this.view;
    this.element.style.marginLeft = `${graphs[0].labelWidth()}px`;
    this.element.style.marginRight = `${RIGHT}px`;
    const percent = (time) => Math.min(Math.max(0, (100 * (time - from)) / (to - from)), 100);
    for (const { span, from: begin, to: end } of this.spans) {
      span.hidden = end <= from || begin >= to;
      span.style.left = `${percent(begin)}%`;
      span.style.width = `${percent(end) - percent(begin)}%`;
    }
  }
}
