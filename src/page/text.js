const FONT = '11px system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif';

/** No label is longer. */
const MOST_LETTERS = 80;

/** How wide a label is, in pixels. */
const textWidth = (() => {
  const context = document.createElement("canvas").getContext("2d");
  const known = new Map();
  return (text) => {
    if (!known.has(text)) {
      context.font = FONT;
      known.set(text, context.measureText(text).width);
    }
    return known.get(text);
  };
})();

/** A number with its thousands set apart. */
const grouped = (number) => Math.round(number).toLocaleString("en-US");

/** A duration of nanoseconds with three significant digits. */
function duration(ns) {
  for (const [unit, size] of [["s", 1e9], ["ms", 1e6], ["µs", 1e3]]) if (ns >= 0.9995 * size) return `${Number((ns / size).toPrecision(3))} ${unit}`;
  return `${Math.round(ns)} ns`;
}

/** A time in seconds since the start, to the decimal that `step` nanoseconds are of. */
function seconds(ns, step) {
  const decimals = Math.min(9, Math.max(0, 9 - Math.floor(Math.log10(Math.max(step, 1)))));
  return (ns / 1e9).toFixed(decimals);
}

/** A time or a duration in nanoseconds as the command line takes it. */
function timeWord(ns) {
  for (const [unit, size] of [["s", 1e9], ["ms", 1e6], ["us", 1e3]]) if (ns % size === 0) return `${ns / size}${unit}`;
  return `${ns}ns`;
}

/** A time of the wall clock in nanoseconds since 1970 as the command line takes it. */
function wallWord(ns) {
  return new Date(Number(ns / 1_000_000n)).toISOString().replace(/\.\d*Z$/, `.${String(ns % 1_000_000_000n).padStart(9, "0")}Z`);
}

/** Marks of a time axis, which are `step` seconds apart: with as many decimals as tell them apart exactly. */
function marks(times, step) {
  let decimals = 0;
  while (decimals < 9 && Math.abs(step * 10 ** decimals - Math.round(step * 10 ** decimals)) > 1e-6) decimals++;
  return times.map((time) => time.toFixed(decimals));
}

/** A share as a percentage, like those in the tables. */
function percent(share) {
  if (share >= 0.0001) return `${(100 * share).toFixed(2)} %`;
  return share > 0 ? "<0.01 %" : "0 %";
}

/** A rate, like those in the tables. */
function perSecond(rate) {
  if (rate >= 10) return grouped(rate);
  if (rate >= 0.01) return rate.toFixed(rate >= 1 ? 1 : 2);
  return rate > 0 ? "<0.01" : "0";
}

/** The number of bars in a row of a table. */
const BARS = 24;

/** Counts as bars of text. Only 0 is blank. */
function sparkline(counts) {
  const most = counts.reduce((a, b) => Math.max(a, b), 0);
  return [...counts].map((count) => (count === 0 ? " " : "▁▂▃▄▅▆▇█"[Math.min(Math.max(Math.round((count / most) * 8), 1), 8) - 1])).join("");
}
