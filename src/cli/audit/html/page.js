// The hosts of an audit. What is equal for all hosts of a layout stands in the data once.
(() => {
  const data = JSON.parse(byId("data").textContent);

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

  const options = [["all hosts", () => true, ""]];
  const odd = rows.filter((row) => row.odd).length;
  if (odd) options.push([`odd ones (${odd})`, (row) => row.odd, "odd"]);
  if (data.silent.length) options.push([`without an answer (${data.silent.length})`, (row) => !row.cells, "silent"]);
  data.layouts.slice(0, 50).forEach((_, layout) => {
    const hosts = rows.filter((row) => row.layout === layout + 1).length;
    options.push([`layout ${layout + 1} (${hosts})`, (row) => row.layout === layout + 1, String(layout + 1)]);
  });

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

  const left = data.left_out ? `; ${data.left_out} more columns are in --csv` : "";
  showTable({
    heads: heads.map((name, column) => inBytes[column] ? name.slice(0, -"_bytes".length) : name),
    numeric, rows, value, options, line,
    last: (row, column) => value(row, column) === "" || (column === 1 && row.layout === 0),
    tie: (a, b, collator) => collator.compare(a.name, b.name),
    said: (shown, all) => `${shown} of ${all} hosts${left}`,
    sorted: { column: 0, up: true },
  });
})();
