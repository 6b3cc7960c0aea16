/** The rows of each sorted table as they were at first. Rows with the same value keep this order. */
const ORIGINAL = new Map();

/** Makes a table's columns sort it. */
function sortable(table) {
  ORIGINAL.set(table, [...table.tBodies[0].rows]);
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    if (head.classList.contains("bars")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      sortBy(table, column, now ? now === "descending" : !head.classList.contains("number"));
      selection.remember();
    });
  });
  table.dataset.sort = sortOf(table);
  // Its numbers have changed.
  table.addEventListener("sort", () => sort(table));
}

/** The column that sorts a table, and its direction, as the address has them: `2` or `2-up`. */
function sortOf(table) {
  const column = sortColumn(table);
  return column < 0 ? "" : `${column}${table.tHead.rows[0].cells[column].getAttribute("aria-sort") === "ascending" ? "-up" : ""}`;
}

function sortColumn(table) {
  return [...table.tHead.rows[0].cells].findIndex((head) => head.hasAttribute("aria-sort"));
}

/** Sorts a table by a column. */
function sortBy(table, column, ascending) {
  const heads = [...table.tHead.rows[0].cells];
  if (!heads[column]?.querySelector("button")) return;
  heads.forEach((head) => head.removeAttribute("aria-sort"));
  heads[column].setAttribute("aria-sort", ascending ? "ascending" : "descending");
  sort(table);
}

/** Sorts a table as the heads of its columns say. */
function sort(table) {
  const column = sortColumn(table);
  if (column < 0) return;
  const head = table.tHead.rows[0].cells[column];
  const isNumber = head.classList.contains("number");
  const direction = head.getAttribute("aria-sort") === "ascending" ? 1 : -1;
  const value = (row) => {
    const cell = row.cells[column];
    return isNumber ? Number(cell.dataset.value ?? cell.textContent) : cell.textContent;
  };
  const rows = ORIGINAL.get(table).map((row) => [value(row), row]);
  rows.sort(([a], [b]) => (isNumber ? a - b : a < b ? -1 : a > b ? 1 : 0) * direction);
  const isSame = rows.every(([, row], at) => table.tBodies[0].rows[at] === row);
  if (!isSame) table.tBodies[0].append(...rows.map(([, row]) => row));
}

/** Shows the rows of all tables whose tracepoint and group are wanted. */
function filterTables(wanted) {
  document.querySelectorAll("tr[data-name], tr[data-group]").forEach((row) => {
    const { name, group } = row.dataset;
    row.hidden = !wanted(name, group ?? name.split(":")[0]);
  });
}
