/** The counts of rows in bins of time, as data.rs packs them. */
class Cells {
  /** Unpacks cells; `width` is that of a bin in nanoseconds. */
  static async unpack(packed, width, rows) {
    const bytes = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
    const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Cells(new Uint8Array(await new Response(plain).arrayBuffer()), width, rows);
  }

  constructor(plain, width, rows) {
    const parts = [];
    const outer = new Numbers(plain);
    for (let part = 0; part < 3; part++) {
      const length = outer.next();
      parts.push(new Numbers(plain.subarray(outer.at, outer.at + length)));
      outer.at += length;
    }
    const [bins, rowSteps, counts] = parts;
    this.width = width;
    this.rows = rows;
    /** The number of each bin that has events. */
    const numbers = [];
    /** Where its cells begin. */
    const starts = [0];
    const row = [];
    const count = [];
    let bin = 0;
    while (bins.more()) {
      bin += bins.next();
      numbers.push(bin);
      let at = 0;
      for (let left = bins.next(); left > 0; left--) {
        at += rowSteps.next();
        row.push(at);
        count.push(counts.next());
      }
      starts.push(row.length);
    }
    this.bins = Float64Array.from(numbers);
    this.starts = Uint32Array.from(starts);
    this.row = Uint32Array.from(row);
    this.count = Float64Array.from(count);
  }

  /** The index of the first bin that ends behind a time in nanoseconds. */
  from(time) {
    let [low, high] = [0, this.bins.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.bins[middle] + 1) * this.width > time) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /**
   * Counts between two times in nanoseconds: for each of `map`'s target rows a row of `columns` numbers. `map` gives for each
   * row its target, or -1. A bin that lies in several columns has its events evenly all over; the last bin ends with `end`.
   */
  grid(from, to, columns, map, targets, end) {
    const grid = new Float32Array(columns * targets);
    const scale = columns / (to - from);
    for (let index = this.from(from); index < this.bins.length; index++) {
      const start = this.bins[index] * this.width;
      if (start >= to) break;
      const left = (start - from) * scale;
      const right = (Math.min(start + this.width, Math.max(end, start + 1)) - from) * scale;
      const first = Math.max(0, Math.floor(left));
      const last = Math.min(columns - 1, Math.max(first, Math.ceil(right) - 1));
      for (let column = first; column <= last; column++) {
        // If a bin is too narrow for numbers of this size, it is a point.
        const part = right > left ? Math.min(1, (Math.min(right, column + 1) - Math.max(left, column)) / (right - left)) : 1;
        if (part <= 1e-9) continue;
        for (let cell = this.starts[index]; cell < this.starts[index + 1]; cell++) {
          const target = map[this.row[cell]];
          if (target >= 0) grid[target * columns + column] += this.count[cell] * part;
        }
      }
    }
    return grid;
  }

  /**
   * The events between two times of each of `map`'s target rows. A bin that is only partly between them counts in part; `isExact`
   * knows whether there is such a bin.
   */
  sums(from, to, map, targets, end) {
    const sums = new Float64Array(targets);
    for (let index = this.from(from); index < this.bins.length; index++) {
      const start = this.bins[index] * this.width;
      if (start >= to) break;
      const last = Math.min(start + this.width, Math.max(end, start + 1));
      const part = start >= from && last <= to ? 1 : (Math.min(last, to) - Math.max(start, from)) / (last - start);
      for (let cell = this.starts[index]; cell < this.starts[index + 1]; cell++) {
        const target = map[this.row[cell]];
        if (target >= 0) sums[target] += this.count[cell] * part;
      }
    }
    return sums;
  }

  /** Whether no bin lies across one of two times. */
  isExact(from, to, end) {
    return from % this.width === 0 && (to % this.width === 0 || to >= end);
  }

  /** When each of `map`'s target rows has its first events. */
  firsts(map, targets) {
    const firsts = new Float64Array(targets).fill(Infinity);
    for (let index = this.bins.length - 1; index >= 0; index--) {
      for (let cell = this.starts[index]; cell < this.starts[index + 1]; cell++) {
        const target = map[this.row[cell]];
        if (target >= 0) firsts[target] = this.bins[index] * this.width;
      }
    }
    return firsts;
  }

  /** The time without events around another time, as far as from 0 to `end`: of a row, or of all if it is `null`. */
  silence(time, end, map, target) {
    const has = (index) => {
      if (target === null) return true;
      for (let cell = this.starts[index]; cell < this.starts[index + 1]; cell++) if (map[this.row[cell]] === target) return true;
      return false;
    };
    let next = this.from(time);
    let before = next - 1;
    while (next < this.bins.length && !has(next)) next++;
    while (before >= 0 && !has(before)) before--;
    return [before < 0 ? 0 : (this.bins[before] + 1) * this.width, next < this.bins.length ? this.bins[next] * this.width : end];
  }

  /** The times between two others in which no row has events for at least so long. */
  silences(from, to, least) {
    const silences = [];
    let before = from;
    for (let index = this.from(from); index < this.bins.length; index++) {
      const start = this.bins[index] * this.width;
      if (Math.min(start, to) - before >= least) silences.push([before, Math.min(start, to)]);
      before = start + this.width;
      if (before >= to) return silences;
    }
    return silences;
  }

  /** The bin with events of a row that is nearest to a time, no further than `reach` nanoseconds; `null` if there is none. */
  nearest(map, target, time, reach) {
    let best = null;
    for (let index = this.from(time - reach); index < this.bins.length; index++) {
      const start = this.bins[index] * this.width;
      if (start > time + reach) break;
      let events = 0;
      for (let cell = this.starts[index]; cell < this.starts[index + 1]; cell++) {
        if (map[this.row[cell]] === target) events += this.count[cell];
      }
      const distance = Math.max(0, start - time, time - start - this.width);
      if (events > 0 && (best === null || distance < best.distance)) best = { start, events, distance };
    }
    return best;
  }
}

/** Varints (LEB128), one after the other. */
class Numbers {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  more() {
    return this.at < this.bytes.length;
  }

  next() {
    let [number, scale] = [0, 1];
    for (;;) {
      const byte = this.bytes[this.at++];
      // Multiply instead of shifting: JavaScript's shifts work on 32 bits only.
      number += (byte & 0x7f) * scale;
      if (byte < 0x80) return number;
      scale *= 128;
    }
  }
}
