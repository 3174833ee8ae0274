"use strict";
// A table of many rows: sorted, filtered, and drawn a few hundred rows at a time. Everything that hosts said goes into the
// page as text.
const byId = (id) => document.getElementById(id);

const make = (name, text, classes) => {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  if (classes) element.className = classes;
  return element;
};

// heads: names of the columns. numeric: which of them are numbers. rows: what there is, each with `text` to be filtered by.
// value(row, column): what is sorted by. last(row, column): the row comes last, whichever way the others are sorted.
// tie(a, b): the order of equals. options: [name, fits(row)] of the choice. line(row): a row to show. said(shown, all).
const showTable = ({ heads, numeric, rows, value, last, tie, options, line, said, sorted }) => {
  const table = byId("table"), filter = byId("filter"), only = byId("only"), count = byId("count");
  const more = byId("more"), clear = byId("clear");
  const STEP = 200;
  const collator = new Intl.Collator("en", { numeric: true });
  let shown = [], drawn = 0;

  const head = make("tr");
  heads.forEach((name, column) => {
    const cell = make("th", undefined, numeric[column] ? "number" : "");
    cell.scope = "col";
    const button = make("button", name);
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

  options.forEach(([name, , key], number) => {
    const made = make("option", name);
    made.value = number === 0 ? "" : key;
    only.append(made);
  });

  const compare = (a, b) => {
    const { column, up } = sorted;
    const [lastA, lastB] = [last(a, column), last(b, column)];
    if (lastA !== lastB) return lastA ? 1 : -1;
    const [x, y] = [value(a, column), value(b, column)];
    const order = numeric[column] ? Number(x) - Number(y) : collator.compare(x, y);
    return (up ? order : -order) || tie(a, b, collator);
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
    const chosen = options[Math.max(only.selectedIndex, 0)][1];
    shown = rows.filter((row) => chosen(row) && words.every((word) => row.text.includes(word))).sort(compare);
    [...head.cells].forEach((cell, column) => {
      const here = column === sorted.column;
      if (here) cell.setAttribute("aria-sort", sorted.up ? "ascending" : "descending");
      else cell.removeAttribute("aria-sort");
      cell.querySelector(".arrow").textContent = here ? (sorted.up ? " ▲" : " ▼") : "";
    });
    table.tBodies[0].replaceChildren();
    drawn = 0;
    draw(STEP);
    count.textContent = said(shown.length, rows.length);
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
};
