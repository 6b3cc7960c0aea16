/** Colours on paper, as the style sheet has them for light screens. */
const PAPER = { paper: "#ffffff", shade: "#f1f4f8", line: "#d5dbe3", frame: "#9aa4b2", ink: "#14181f", text: "#3b4450", dim: "#5f6a79", accent: "#2f6fd0", lost: "#e5484d", gap: "#8a94a3", unwatched: "#c9821f", detached: "#8a4fd0", stripe: "#4a5563" };

/** Colours of the page, as the style sheet has them now. */
function palette(isPrinted) {
  if (isPrinted) return PAPER;
  const style = getComputedStyle(document.documentElement);
  const value = (name) => style.getPropertyValue(`--${name}`).trim();
  return Object.fromEntries(["paper", "shade", "line", "frame", "ink", "text", "dim", "accent", "lost", "gap", "unwatched", "detached", "stripe"].map((name) => [name, value(name)]));
}

/** 256 colours from few to many, each legible on light and dark, as 0xAABBGGRR. */
const RAMP = (() => {
  const stops = [[96, 142, 218], [38, 163, 155], [120, 170, 60], [226, 142, 26], [214, 45, 80]];
  return Uint32Array.from({ length: 256 }, (_, level) => {
    const place = (level / 255) * (stops.length - 1);
    const below = Math.min(Math.floor(place), stops.length - 2);
    const [r, g, b] = stops[below].map((from, n) => Math.round(from + (stops[below + 1][n] - from) * (place - below)));
    return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  });
})();

/** What is not searched for, or not isolated. */
const FADED = (0x38 << 24 | 0x94 << 16 | 0x86 << 8 | 0x80) >>> 0;

/**
 * Paints counts into a canvas with a pixel for each of `columns`, and gives it with the most of one place. Row `first` is at the bottom; colours go by the
 * logarithm, so that one event can be seen beside thousands. Of rows that share a pixel the one with more shows; what is rare
 * is drawn a little wider than it is.
 */
function paintRows(grid, columns, rows, lit, height) {
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, height);
  const pixels = new Uint32Array(image.data.buffer);
  const levels = new Uint16Array(columns * height);
  let most = 0;
  for (const value of grid) if (value > most) most = value;
  const scale = 255 / Math.max(Math.log1p(most), 1e-9);
  const rowHeight = height / rows;
  for (let row = 0; row < rows; row++) {
    const bottom = height - Math.floor(row * rowHeight);
    const top = Math.min(bottom - 1, height - Math.floor((row + 1) * rowHeight));
    const gap = rowHeight >= 6 ? 1 : 0;
    let occupied = 0;
    for (let column = 0; column < columns; column++) if (grid[row * columns + column] > 0) occupied++;
    const wider = occupied * 8 < columns ? 1 : 0;
    for (let column = 0; column < columns; column++) {
      const value = grid[row * columns + column];
      if (value === 0) continue;
      const level = 1 + Math.min(255, Math.floor(Math.log1p(value) * scale));
      const colour = lit[row] ? RAMP[level - 1] : FADED;
      const [from, to] = [Math.max(0, column - wider), Math.min(columns - 1, column + wider)];
      for (let y = Math.max(0, top + gap); y < Math.min(height, bottom); y++) {
        for (let x = from; x <= to; x++) {
          const at = y * columns + x;
          const rank = lit[row] ? level + 256 : level;
          if (rank > levels[at]) {
            levels[at] = rank;
            pixels[at] = colour;
          }
        }
      }
    }
  }
  context.putImageData(image, 0, 0);
  return { canvas, most };
}

/** Stripes of a colour over what is painted there, as wide apart on every screen. */
function stripes(context, colour) {
  const size = Math.round(6 * devicePixelRatio);
  const tile = document.createElement("canvas");
  tile.width = tile.height = size;
  const pen = tile.getContext("2d");
  pen.strokeStyle = colour;
  pen.lineWidth = devicePixelRatio;
  pen.beginPath();
  // The stripe, and the corners of its neighbours.
  for (const shift of [-size, 0, size]) {
    pen.moveTo(shift, size);
    pen.lineTo(shift + size, 0);
  }
  pen.stroke();
  return context.createPattern(tile, "repeat");
}
