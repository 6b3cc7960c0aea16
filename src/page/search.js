/** What a search finds: words that must all match, or with commas between them alternatives, as on the command line. */
class Search {
  constructor(text) {
    const alternatives = split(text.trim().toLowerCase(), (c, depth) => c === "," && depth === 0);
    this.alternatives = alternatives.map((words) => split(words, (c, depth) => /\s/.test(c) && depth === 0).map(matcher)).filter((words) => words.length > 0);
    this.isEmpty = this.alternatives.length === 0;
    this.known = new Map();
  }

  /** Whether it finds a tracepoint: `group:name`. */
  matches(name) {
    if (this.isEmpty) return true;
    if (!this.known.has(name)) {
      const letters = name.toLowerCase();
      this.known.set(name, this.alternatives.some((words) => words.every((matches) => matches(letters))));
    }
    return this.known.get(name);
  }
}

/** The parts of a text, without empty ones; `isEnd` knows a mark between two parts by the letter and the open braces before it. */
function split(text, isEnd) {
  const parts = [""];
  let depth = 0;
  for (const c of text) {
    if (c === "{") depth++;
    if (c === "}") depth = Math.max(0, depth - 1);
    if (isEnd(c, depth)) parts.push("");
    else parts[parts.length - 1] += c;
  }
  return parts.filter((part) => part.trim() !== "");
}

/** What a word matches: as a glob what it matches on the command line, and without the signs of globs any name that contains it. */
function matcher(word) {
  const glob = /[*?[\]{}\\]/.test(word) ? globOf(word.includes(":") ? word : `*:${word}`) : null;
  return glob ? (text) => isGlobMatch(glob, text) : (text) => text.includes(word);
}

/**
 * The steps of a glob: a function takes a letter, `"*"` takes any number of letters, `{ fork }` goes on at one of several steps, and
 * `{ jump }` at another one. `null` if it is no glob. It is read as text/glob.rs reads it.
 */
function globOf(text) {
  const letters = [...text];
  const steps = [];
  const open = [];
  const endAlternative = (group) => {
    if (group.fork[group.fork.length - 1] === steps.length) group.fork.pop();
    else group.jumps.push(steps.push({ jump: 0 }) - 1);
  };
  for (let at = 0; at < letters.length; at++) {
    const c = letters[at];
    if (c === "*") steps.push("*");
    else if (c === "?") steps.push(() => true);
    else if (c === "[") {
      const last = classOf(letters, at + 1, steps);
      if (last === null) return null;
      at = last;
    } else if (c === "{") {
      open.push({ at: steps.push({ fork: [] }) - 1, fork: [steps.length], jumps: [] });
    } else if (c === "}") {
      const group = open.pop();
      if (!group) return null;
      endAlternative(group);
      if (group.fork.length === 0) steps.length = group.at;
      else steps[group.at].fork = group.fork;
      group.jumps.forEach((jump) => (steps[jump].jump = steps.length));
    } else if (c === "," && open.length > 0) {
      endAlternative(open[open.length - 1]);
      open[open.length - 1].fork.push(steps.length);
    } else {
      const wanted = c === "\\" ? letters[++at] : c;
      if (wanted === undefined) return null;
      steps.push((letter) => letter === wanted);
    }
  }
  return open.length > 0 ? null : steps;
}

/** Reads a class of letters from behind its `[`, and gives the place of its `]`; `null` if it is no class. */
function classOf(letters, at, steps) {
  const isNegated = letters[at] === "!" || letters[at] === "^";
  const ranges = [];
  let isRange = false;
  for (at += isNegated ? 1 : 0; ; at++) {
    const c = letters[at];
    const last = ranges[ranges.length - 1];
    if (c === undefined) return null;
    if (c === "]" && last) break;
    if (c === "-" && last && !isRange) isRange = true;
    else if (isRange) {
      if (c < last[0]) return null;
      last[1] = c;
      isRange = false;
    } else ranges.push([c, c]);
  }
  if (isRange) ranges.push(["-", "-"]);
  steps.push((letter) => ranges.some(([first, last]) => first <= letter && letter <= last) !== isNegated);
  return at;
}

/** Whether a glob matches a whole text. It follows all reachable steps at once, so no glob takes long. */
function isGlobMatch(steps, text) {
  const reach = (places, place) => {
    if (places.has(place)) return;
    places.add(place);
    const step = steps[place];
    if (step === "*") reach(places, place + 1);
    step?.fork?.forEach((begin) => reach(places, begin));
    if (step?.jump !== undefined) reach(places, step.jump);
  };
  let here = new Set();
  reach(here, 0);
  for (const letter of text) {
    const next = new Set();
    for (const place of here) {
      if (steps[place] === "*") reach(next, place);
      else if (typeof steps[place] === "function" && steps[place](letter)) reach(next, place + 1);
    }
    here = next;
  }
  return here.has(steps.length);
}
