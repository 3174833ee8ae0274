"use strict";
// The table of hosts: sorted, filtered, and drawn a few hundred rows at a time. Everything that hosts said goes into the
// page as text.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const table = byId("table"), filter = byId("filter"), only = byId("only"), count = byId("count");
  const more = byId("more"), clear = byId("clear");
  const STEP = 200;
  const collator = new Intl.Collator("en", { numeric: true });

  const make = (name, text, classes) => {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = text;
    if (classes) element.className = classes;
    return element;
  };

  // One row a host: name, number of the layout (0: no answer), cells.
  const rows = data.hosts.map(([name, layout, own]) => {
    const shared = data.layouts[layout];
    const cells = shared.cells.map((cell, column) => own[column] ?? cell);
    return { name, layout: layout + 1, odd: shared.odd, cells };
  });
  for (const [name, why] of data.silent) rows.push({ name, layout: 0, odd: false, cells: null, why });
  for (const row of rows) row.text = [row.name, ...(row.cells ?? [row.why])].join("\n").toLowerCase();

  const heads = ["host", "layout", ...data.columns];
  const value = (row, column) => column === 0 ? row.name : column === 1 ? row.layout : row.cells ? row.cells[column - 2] : "";
  const isNumber = (text) => /^[-+]?\d+(\.\d+)?$/.test(text);
  const numeric = heads.map((_, column) => column === 1 ||
    (column > 1 && rows.some((row) => row.cells) && rows.every((row) => !row.cells || value(row, column) === "" || isNumber(value(row, column)))));

  // Bytes as makers of disks write them; sorted by their number.
  const size = (bytes) => {
    const units = ["B", "kB", "MB", "GB", "TB", "PB"];
    let number = Number(bytes), unit = 0;
    while (number >= 1000 && unit < units.length - 1) { number /= 1000; unit += 1; }
    return unit ? `${number.toFixed(1)} ${units[unit]}` : `${bytes} B`;
  };
  const inBytes = heads.map((name, column) => numeric[column] && name.endsWith("_bytes"));

  let sorted = { column: 0, up: true }, shown = [], drawn = 0;

  const head = make("tr");
  heads.forEach((name, column) => {
    const cell = make("th", undefined, numeric[column] ? "number" : "");
    cell.scope = "col";
    const button = make("button", inBytes[column] ? name.slice(0, -"_bytes".length) : name);
    button.type = "button";
    button.append(make("span", "", "arrow"));
    button.addEventListener("click", () => {
      sorted = { column, up: sorted.column === column ? !sorted.up : true };
      update();
    });
    cell.append(button);
    head.append(cell);
  });
  table.tHead.append(head);

  const option = (name, key) => { const made = make("option", name); made.value = key; only.append(made); };
  option("all hosts", "");
  const odd = rows.filter((row) => row.odd).length;
  if (odd) option(`odd ones (${odd})`, "odd");
  if (data.silent.length) option(`without an answer (${data.silent.length})`, "silent");
  data.layouts.slice(0, 50).forEach((_, layout) => {
    const hosts = rows.filter((row) => row.layout === layout + 1).length;
    option(`layout ${layout + 1} (${hosts})`, String(layout + 1));
  });

  const compare = (a, b) => {
    const { column, up } = sorted;
    const [x, y] = [value(a, column), value(b, column)];
    // Rows without a value come last, whichever way the others are sorted.
    const [noX, noY] = [x === "" || (column === 1 && x === 0), y === "" || (column === 1 && y === 0)];
    if (noX !== noY) return noX ? 1 : -1;
    const order = numeric[column] ? Number(x) - Number(y) : collator.compare(x, y);
    return (up ? order : -order) || collator.compare(a.name, b.name);
  };

  const line = (row) => {
    const made = make("tr", undefined, row.cells ? (row.odd ? "odd" : "") : "silent");
    const name = make("th", row.name);
    name.scope = "row";
    made.append(name, make("td", row.cells ? row.layout : "–", "layout number"));
    if (!row.cells) {
      const why = make("td", `no answer: ${row.why}`);
      why.colSpan = Math.max(data.columns.length, 1);
      made.append(why);
      return made;
    }
    row.cells.forEach((text, column) => {
      const bytes = inBytes[column + 2] && text !== "";
      const cell = make("td", bytes ? size(text) : text, numeric[column + 2] ? "number" : "");
      if (bytes || text.length > 40) cell.title = text;
      made.append(cell);
    });
    return made;
  };

  const draw = (rowsToDraw) => {
    const part = document.createDocumentFragment();
    for (const row of shown.slice(drawn, drawn + rowsToDraw)) part.append(line(row));
    table.tBodies[0].append(part);
    drawn = Math.min(drawn + rowsToDraw, shown.length);
    more.hidden = drawn >= shown.length;
  };

  const update = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (row) => {
      if (only.value === "odd" && !row.odd) return false;
      if (only.value === "silent" && row.cells) return false;
      if (/^\d+$/.test(only.value) && row.layout !== Number(only.value)) return false;
      return words.every((word) => row.text.includes(word));
    };
    shown = rows.filter(fits).sort(compare);
    [...head.cells].forEach((cell, column) => {
      const here = column === sorted.column;
      if (here) cell.setAttribute("aria-sort", sorted.up ? "ascending" : "descending");
      else cell.removeAttribute("aria-sort");
      cell.querySelector(".arrow").textContent = here ? (sorted.up ? " ▲" : " ▼") : "";
    });
    table.tBodies[0].replaceChildren();
    drawn = 0;
    draw(STEP);
    const left = data.left_out ? `; ${data.left_out} more columns are in --csv` : "";
    count.textContent = `${shown.length} of ${rows.length} hosts${left}`;
    clear.hidden = shown.length === rows.length;
  };

  let waiting;
  filter.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(update, rows.length > 2000 ? 150 : 0); });
  only.addEventListener("change", update);
  clear.addEventListener("click", () => { filter.value = ""; only.value = ""; update(); filter.focus(); });
  more.querySelector("button").addEventListener("click", () => draw(STEP));
  new IntersectionObserver((seen) => { if (seen.some((entry) => entry.isIntersecting) && !more.hidden) draw(STEP); },
    { rootMargin: "600px" }).observe(more);
  byId("tools").hidden = false;
  update();
})();
