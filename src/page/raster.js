/** Colours on paper, as the style sheet has them for light screens. */
const PAPER = { paper: "#ffffff", shade: "#f1f4f8", line: "#d5dbe3", frame: "#9aa4b2", ink: "#14181f", text: "#3b4450", dim: "#5f6a79", accent: "#2f6fd0", lost: "#e5484d", gap: "#8a94a3", unwatched: "#c9821f", detached: "#8a4fd0", stripe: "#4a5563" };

/** Colours of the page, as the style sheet has them now. */
function palette(isPrinted) {
  if (isPrinted) return PAPER;
  const style = getComputedStyle(document.documentElement);
  const value = (name) => style.getPropertyValue(`--${name}`).trim();
  return Object.fromEntries(["paper", "shade", "line", "frame", "ink", "text", "dim", "accent", "lost", "gap", "unwatched", "detached", "stripe"].map((name) => [name, value(name)]));
}

/**
 * Colours from few to many, as 0xAABBGGRR: parts of viridis, so that the lightness goes one way, also in grey. On paper and on light screens
 * many is dark, and on dark screens many is light.
 */
const [DARKENING, LIGHTENING] = (() => {
  const viridis = [[68, 1, 84], [72, 33, 115], [67, 62, 133], [56, 88, 140], [45, 112, 142], [37, 133, 142], [30, 155, 138], [42, 176, 127], [82, 197, 105], [134, 213, 73], [194, 223, 35], [253, 231, 37]];
  const ramp = (first, last) => Uint32Array.from({ length: 256 }, (_, level) => {
    const place = first + (level / 255) * (last - first);
    const below = Math.min(Math.floor(place), viridis.length - 2);
    const [r, g, b] = viridis[below].map((from, n) => Math.round(from + (viridis[below + 1][n] - from) * (place - below)));
    return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  });
  return [ramp(8.4, 0), ramp(3.2, 11)];
})();

/** The colours for this screen, or for paper. */
function rampOf(isPrinted) {
  return !isPrinted && matchMedia("(prefers-color-scheme: dark)").matches ? LIGHTENING : DARKENING;
}

/** What is not searched for, or not isolated. */
const FADED = (0x38 << 24 | 0x94 << 16 | 0x86 << 8 | 0x80) >>> 0;

/**
 * Paints counts into a canvas with a pixel for each of `columns`, and gives it with the most of one place. Row `first` is at the bottom; colours go by the
 * logarithm, so that one event can be seen beside thousands. Of rows that share a pixel the one with more shows; what is rare
 * is drawn a little wider than it is.
 */
function paintRows(grid, columns, rows, lit, height, ramp) {
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
      const colour = lit[row] ? ramp[level - 1] : FADED;
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
