/** Makes a table's columns sort it. */
function sortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    if (head.classList.contains("bars")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      const ascending = now ? now === "descending" : !head.classList.contains("number");
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      sort(table, column);
    });
  });
  // Its numbers have changed.
  table.addEventListener("sort", () => sort(table, heads.findIndex((head) => head.hasAttribute("aria-sort"))));
}

/** The rows of each sorted table as they were at first. Rows with the same value keep this order. */
const ORIGINAL = new Map();

/** Sorts a table by a column, as the head of the column says. */
function sort(table, column) {
  if (column < 0) return;
  if (!ORIGINAL.has(table)) ORIGINAL.set(table, [...table.tBodies[0].rows]);
  const head = table.tHead.rows[0].cells[column];
  const isNumber = head.classList.contains("number");
  const direction = head.getAttribute("aria-sort") === "ascending" ? 1 : -1;
  const value = (row) => {
    const cell = row.cells[column];
    return isNumber ? Number(cell.dataset.value ?? cell.textContent) : cell.textContent;
  };
  const rows = ORIGINAL.get(table).map((row) => [value(row), row]);
  rows.sort(([a], [b]) => (isNumber ? a - b : a < b ? -1 : a > b ? 1 : 0) * direction);
  table.tBodies[0].append(...rows.map(([, row]) => row));
}

/** Shows the rows of all tables whose tracepoint and group are wanted. */
function filterTables(wanted) {
  document.querySelectorAll("tr[data-name], tr[data-group]").forEach((row) => {
    const { name, group } = row.dataset;
    row.hidden = !wanted(name, group ?? name.split(":")[0]);
  });
}
