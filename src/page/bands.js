// What is known of the time besides events. A graph's `bands` are losses [row or -1, from, to, samples, CPU], unwatched [row or -1, from,
// to, CPU], gaps [from, to] and thinned {row, from, to, least, most, name}: an event stands for least to most hits, or the tracepoint
// is detached if that is 0. Rows are those of the graph's `base`; -1 means all.

/** The least silence that is marked, in pixels of the screen. */
const LEAST_SILENCE = 6;

/** What is behind the lines of the axes. */
function paintBack(graph, { ctx, left, top, width, height, x, y, colours }) {
  ctx.fillStyle = colours.shade;
  graph.shades().forEach(([first, last]) => ctx.fillRect(left, y(last + 0.5), width, y(first - 0.5) - y(last + 0.5)));
  const { from, to } = graph.view;
  const band = (fill, alpha, start, end, member) => {
    if (start > to || end < from) return;
    const row = member < 0 ? -1 : graph.place[member];
    if (member >= 0 && row < 0) return;
    ctx.fillStyle = fill;
    ctx.globalAlpha = alpha;
    const [y0, y1] = member < 0 ? [top, top + height] : [y(row + 0.5), y(row - 0.5)];
    const long = x(end) - x(start);
    // In a narrow band, a pattern would be a broken line.
    if (typeof fill === "string" || long >= 8 * devicePixelRatio) ctx.fillRect(x(start), y0, Math.max(long, 1.5 * devicePixelRatio), y1 - y0);
    ctx.globalAlpha = 1;
  };
  const { gaps, unwatched, losses } = graph.bands;
  const least = (LEAST_SILENCE * devicePixelRatio * (to - from)) / width;
  graph.view.cells.silences(from, to, least).forEach(([start, end]) => band(colours.gap, 0.15, start, end, -1));
  gaps.forEach(([start, end]) => band(colours.gap, 0.18, start, end, -1));
  // Marks differ in their patterns, too, for readers and printers without colours.
  const dots = unwatched.length > 0 && pattern(ctx, colours.unwatched, "dots");
  unwatched.forEach(([member, start, end]) => {
    band(colours.unwatched, 0.25, start, end, member);
    band(dots, 1, start, end, member);
  });
  const stripes = losses.length > 0 && pattern(ctx, colours.lost, "falling");
  losses.forEach(([member, start, end]) => {
    band(colours.lost, 0.35, start, end, member);
    band(stripes, 0.7, start, end, member);
  });
  paintDetached(graph, { ctx, x, y, colours });
}

/** A shade where tracepoints were detached, like that of a CPU that was not watched. */
function paintDetached(graph, { ctx, x, y, colours }) {
  const isDetached = ({ least }) => least === 0;
  ctx.globalAlpha = 0.3;
  fillBands(graph, { ctx, x, y }, colours.detached, isDetached);
  ctx.globalAlpha = 0.8;
  fillBands(graph, { ctx, x, y }, () => pattern(ctx, colours.detached, "lines"), isDetached);
  ctx.globalAlpha = 1;
}

/** Stripes where tracepoints were thinned, over their events: these are only some of the hits. */
function paintThinned(graph, { ctx, x, y, colours }) {
  fillBands(graph, { ctx, x, y }, () => pattern(ctx, colours.stripe, "rising"), ({ least }) => least > 0);
}

/** Fills the bands of a rung. A row that stands for several tracepoints has those of all, which are no darker where they overlap. */
function fillBands(graph, { ctx, x, y }, fill, isWanted) {
  const { view, place, span } = graph;
  const isShown = ({ row, from, to }) => to > view.from && from < view.to && place[row] >= 0 && place[row] > span[0] && place[row] < span[1];
  const shown = graph.bands.thinned.filter((band) => isWanted(band) && isShown(band));
  if (shown.length === 0) return;
  ctx.fillStyle = typeof fill === "function" ? fill() : fill;
  ctx.beginPath();
  for (const { row, from: begin, to: end, most } of shown) {
    const at = place[row];
    const [x0, x1, y0, y1] = [x(begin), x(end), y(at + 0.5), y(at - 0.5)];
    // The first milliseconds of a recording, in which an event stands for two hits, are no wider than they are.
    const least = most === 2 ? 0 : 1.5 * devicePixelRatio;
    ctx.rect(x0, y0, Math.max(x1 - x0, least), Math.max(y1 - y0, 1));
  }
  ctx.fill();
}

/** A pattern of a colour over what is painted there, as wide apart on every screen. */
function pattern(context, colour, kind) {
  const size = Math.round(6 * devicePixelRatio);
  const tile = document.createElement("canvas");
  tile.width = tile.height = size;
  const pen = tile.getContext("2d");
  pen.strokeStyle = pen.fillStyle = colour;
  pen.lineWidth = devicePixelRatio;
  pen.beginPath();
  if (kind === "dots") pen.arc(size / 2, size / 2, devicePixelRatio, 0, 7);
  if (kind === "lines") pen.rect(0, 0, size, devicePixelRatio);
  // The stripe, and the corners of its neighbours.
  const isStripes = kind === "rising" || kind === "falling";
  for (const shift of isStripes ? [-size, 0, size] : []) {
    pen.moveTo(shift, kind === "rising" ? size : 0);
    pen.lineTo(shift + size, kind === "rising" ? 0 : size);
  }
  if (isStripes) pen.stroke();
  else pen.fill();
  return context.createPattern(tile, "repeat");
}
