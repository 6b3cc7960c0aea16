/** The view that keys move: that of the source under the pointer or with the keyboard, or the first one in the window. */
function currentView() {
  const isIn = (selector) => views.find((view) => view.section.matches(selector));
  const inWindow = () => views.find((view) => view.section.getBoundingClientRect().bottom > innerHeight / 3);
  return isIn(":focus-within") ?? isIn(":hover") ?? inWindow() ?? views[0];
}

/** What keys do wherever the keyboard is, except in a text. */
const KEYS = {
  "?": () => document.getElementById("help").showModal(),
  "/": () => document.getElementById("search").select(),
  w: () => stepHere("in"),
  "+": () => stepHere("in"),
  "=": () => stepHere("in"),
  s: () => stepHere("out"),
  "-": () => stepHere("out"),
  _: () => stepHere("out"),
  a: () => stepHere("left"),
  d: () => stepHere("right"),
  0: () => stepHere("all"),
  g: () => selection.toggleAll(),
  l: () => views.length > 1 && selection.link(!selection.isLinked),
};

/** Shows another time. Zooms where the pointer is, if it is in a graph. */
function stepHere(what) {
  const view = currentView();
  const under = view?.graphs.map((graph) => graph.under()).find((under) => under);
  view?.step(what, under?.time);
}

function listenToKeys() {
  addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    if (target.matches("input, select, textarea")) {
      if (key === "Escape") target.blur();
      return;
    }
    if (!Object.hasOwn(KEYS, key)) return;
    event.preventDefault();
    KEYS[key]();
  });
  const help = document.getElementById("help");
  document.getElementById("show-help").addEventListener("click", () => help.showModal());
  // A click beside the box closes it.
  help.addEventListener("click", (event) => event.target === help && help.close());
}
