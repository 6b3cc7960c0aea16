/** The orders of rows, from the top of a graph to its bottom. */
const ORDERS = ["name", "activity", "first", "similarity"];

/** Parts of the time whose events are compared. */
const PARTS = 96;

/** Puts rows in an order; `rows` are [{ events, members }] and come by name from the bottom up. The last one is at the top. */
function inOrder(rows, order, { cells, map, base, span }) {
  if (order === "activity") return [...rows].sort((a, b) => a.events - b.events);
  if (order === "first") {
    const firsts = cells.firsts(map, base.length);
    const first = new Map(rows.map((row) => [row, row.members.reduce((least, member) => Math.min(least, firsts[member]), Infinity)]));
    return [...rows].sort((a, b) => (first.get(a) === first.get(b) ? 0 : first.get(b) - first.get(a)));
  }
  if (order === "similarity") return bySimilarity(rows, cells.grid(0, span, PARTS, map, base.length, span));
  return rows;
}

/**
 * Rows whose events come at the same times are next to each other: from the busiest row on, the next row is the one whose events
 * correlate most with those of the row before.
 */
function bySimilarity(rows, grid) {
  const shapes = rows.map(({ members }) => {
    const shape = new Float64Array(PARTS);
    for (const member of members) for (let part = 0; part < PARTS; part++) shape[part] += grid[member * PARTS + part];
    const logs = shape.map(Math.log1p);
    const mean = logs.reduce((sum, value) => sum + value, 0) / PARTS;
    const length = Math.sqrt(logs.reduce((sum, value) => sum + (value - mean) ** 2, 0)) || 1;
    return logs.map((value) => (value - mean) / length);
  });
  const left = new Set(rows.keys());
  const chain = [];
  let at = rows.reduce((most, row, number) => (row.events > (rows[most]?.events ?? -1) ? number : most), 0);
  while (left.size > 0) {
    chain.push(rows[at]);
    left.delete(at);
    const shape = shapes[at];
    let most = -Infinity;
    for (const other of left) {
      let alike = 0;
      for (let part = 0; part < PARTS; part++) alike += shape[part] * shapes[other][part];
      if (!(alike <= most)) [most, at] = [alike, other];
    }
  }
  return chain.reverse();
}
