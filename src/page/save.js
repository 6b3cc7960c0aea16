/** A button that saves a file. */
function saveButton(text, title, save) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "save";
  button.textContent = text;
  button.title = `Save ${title}`;
  button.setAttribute("aria-label", button.title);
  button.addEventListener("click", save);
  return button;
}

/** Gives the reader a file. */
function save(name, blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name.replace(/[^\w.,()+-]+/g, "-").slice(-120);
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** A name for what a view shows. */
function fileName(label, { isWhole, from, to }, kind) {
  const step = Math.max(1, (to - from) / 1000);
  return `${label}${isWhole ? "" : ` ${seconds(from, step)}s-${seconds(to, step)}s`}.${kind}`;
}

/** A graph as it is on the screen, with its title, on its background. */
function savePng(graph) {
  const { canvas } = graph.plot.ctx;
  const copy = document.createElement("canvas");
  const top = Math.round(26 * devicePixelRatio);
  copy.width = canvas.width;
  copy.height = canvas.height + top;
  const context = copy.getContext("2d");
  const { paper, ink } = palette(false);
  context.fillStyle = paper;
  context.fillRect(0, 0, copy.width, copy.height);
  context.fillStyle = ink;
  context.scale(devicePixelRatio, devicePixelRatio);
  context.font = `bold ${FONT}`;
  context.fillText(titleOf(graph), 8, 17);
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.drawImage(canvas, 0, top);
  copy.toBlob((blob) => save(fileName(graph.label, graph.view, "png"), blob));
}

/** The title of a saved graph. */
function titleOf({ label, scale }) {
  return `${label}${scale.textContent ? `: ${scale.textContent}` : ""}`;
}

function saveSvg(graph) {
  save(fileName(graph.label, graph.view, "svg"), new Blob([svgOf(graph)], { type: "image/svg+xml" }));
}

/** A graph as SVG on white, without the marks of losses and silences. Neighbours of one colour are one rectangle. */
function svgOf(graph) {
  const { plot, lit, span, view } = graph;
  const { over } = plot;
  const [left, top, width, height] = [over.offsetLeft, over.offsetTop + 22, over.clientWidth, over.clientHeight];
  const { first, count, numbers } = graph.grid(width);
  const most = numbers.reduce((a, b) => Math.max(a, b), 0);
  const scale = 255 / Math.max(Math.log1p(most), 1e-9);
  const level = (row, column) => (numbers[row * width + column] > 0 ? Math.min(255, Math.floor(Math.log1p(numbers[row * width + column]) * scale)) : -1);
  const text = (words) => words.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
  const number = (value) => Number(value.toFixed(2));
  const rowHeight = height / count;
  const y = (row) => top + height - ((row - span[0]) / (span[1] - span[0])) * height;
  const parts = [];
  for (let row = 0; row < count; row++) {
    for (let column = 0; column < width; ) {
      const its = level(row, column);
      let end = column + 1;
      while (end < width && level(row, end) === its) end++;
      if (its >= 0) {
        const colour = lit[first + row] ? DARKENING[its] : FADED;
        const rgb = [colour & 255, (colour >> 8) & 255, (colour >> 16) & 255].map((part) => part.toString(16).padStart(2, "0")).join("");
        parts.push(`<path fill="#${rgb}" d="M${left + column} ${number(y(first + row + 0.5))}h${end - column}v${number(Math.max(rowHeight - (rowHeight >= 6 ? 1 : 0), 0.5))}h${column - end}z"/>`);
      }
      column = end;
    }
  }
  for (const row of graph.labels()) parts.push(`<text x="${left - 6}" y="${number(y(row) + 4)}" text-anchor="end">${text(graph.labelOf(row))}</text>`);
  const [axis] = plot.axes;
  (axis._splits ?? []).forEach((time, n) => {
    const x = number(left + ((time * 1e9 - view.from) / (view.to - view.from)) * width);
    if (x < left || x > left + width) return;
    parts.push(`<path stroke="#9aa4b2" d="M${x} ${top + height}v5"/><text x="${x}" y="${top + height + 17}" text-anchor="middle">${text(String(axis._values[n]))}</text>`);
  });
  const bottom = top + height + 34;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${plot.width}" height="${bottom + 8}" viewBox="0 0 ${plot.width} ${bottom + 8}" font-family="system-ui, sans-serif" font-size="11" fill="#14181f">` +
    `<rect width="100%" height="100%" fill="#fff"/><text x="8" y="15" font-weight="bold">${text(titleOf(graph))}</text>${parts.join("")}` +
    `<rect x="${left}" y="${top}" width="${width}" height="${height}" fill="none" stroke="#9aa4b2"/>` +
    `<text x="${left + width / 2}" y="${bottom}" text-anchor="middle">seconds from the start</text></svg>\n`;
}

/** The rows of a table that are on the screen, as CSV. */
function csvOf(table, { from, to }) {
  const heads = [...table.tHead.rows[0].cells];
  const columns = heads.flatMap((head, column) => (head.classList.contains("bars") ? [] : [column]));
  const title = (head) => head.textContent.trim().replace("a second", "per second").toLowerCase().replace(/\W+/g, "_");
  const line = (cells) => cells.map((cell) => (/[",\n\r]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(",");
  // Spreadsheets compute a text that begins like a formula.
  const outside = (text) => (/^[=+\-@'＝＋－＠]/.test(text) ? `'${text}` : text);
  const value = (cell, column) => (cell.textContent === "" ? "" : cell.dataset.value !== undefined && heads[column].classList.contains("number") ? cell.dataset.value : outside(cell.textContent));
  const rows = [...table.tBodies[0].rows].filter((row) => row.checkVisibility());
  const lines = rows.map((row) => line([...columns.map((column) => value(row.cells[column], column)), String(from), String(to)]));
  return `${[line([...columns.map((column) => title(heads[column])), "from_ns", "to_ns"]), ...lines].join("\n")}\n`;
}

/** Puts a button that saves a table beside its title. */
function saveTable(table, label, view) {
  const title = table.closest(".scroll").previousElementSibling;
  const place = title.localName === "h3" ? title : title.previousElementSibling;
  const name = `${place.textContent} of ${label}`;
  place.append(saveButton("CSV", `${name} as CSV`, () => save(fileName(name, view, "csv"), new Blob([csvOf(table, view)], { type: "text/csv" }))));
}
