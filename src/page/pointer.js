/** Lets a graph listen to the mouse, to fingers, and to the keys that are for its rows. */
function listen(graph) {
  const { plot, view, element, tip } = graph;
  const { over } = plot;
  element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const chosen = graph.rows[graph.chosen];
    if (event.key === "ArrowUp") tip.choose(1);
    else if (event.key === "ArrowDown") tip.choose(-1);
    else if (event.key === "ArrowLeft") view.step("left");
    else if (event.key === "ArrowRight") view.step("right");
    else if (event.key === "Enter" && chosen) graph.onPick(chosen);
    else if (event.key === "o" && chosen && graph.kind === "tracepoints") selection.toggle(chosen.group);
    else if (event.key === "Escape") {
      graph.chosen = -1;
      tip.hide();
      graph.onPick(null);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  element.addEventListener("blur", () => {
    graph.chosen = -1;
    tip.hide();
    graph.gutter.name(-1);
    graph.redraw();
  });
  over.addEventListener("wheel", (event) => {
    const at = plot.posToVal(event.offsetX, "x") * 1e9;
    if (event.ctrlKey || event.metaKey) view.zoom(Math.exp(event.deltaY * 0.004), at);
    else if (Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey) view.move((event.deltaX || event.deltaY) / over.clientWidth);
    else return;
    event.preventDefault();
  }, { passive: false });

  // With Shift or the middle button, the mouse pans. Otherwise uPlot lets the user select the part to show.
  let pan = null;
  let down = null;
  over.addEventListener("mousedown", (event) => {
    down = { x: event.clientX, y: event.clientY };
    graph.dragged = false;
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
    } else if (down) graph.dragged ||= Math.hypot(event.clientX - down.x, event.clientY - down.y) > 3;
  }, { capture: true });
  addEventListener("mouseup", (event) => {
    const isClick = down && pan === null && Math.hypot(event.clientX - down.x, event.clientY - down.y) <= 3;
    const inside = over.contains(event.target);
    [pan, down] = [null, null];
    if (isClick && inside && event.button === 0) graph.onPick(graph.rows[tip.row] ?? null);
  }, { capture: true });
  over.addEventListener("mouseleave", () => {
    tip.hide();
    graph.gutter.name(-1);
  });

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
      view.zoom(spread(before) / spread(after), plot.posToVal(middle, "x") * 1e9);
    }
  });
}
