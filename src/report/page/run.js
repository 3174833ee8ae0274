// The results of a run: one row a host and task. Names stand in the data once.
(() => {
  const data = JSON.parse(byId("data").textContent);
  const rows = data.rows.map(([host, task, verdict, rc, seconds, message]) => {
    const row = {
      host: data.hosts[host], task: data.tasks[task][0], play: data.plays[data.tasks[task][1]], path: data.tasks[task][2],
      verdict: data.verdicts[verdict][0], kind: data.verdicts[verdict][1], rc: rc ?? "", seconds, message: data.messages[message],
    };
    row.text = [row.host, row.task, row.play, row.verdict, row.message].join("\n").toLowerCase();
    return row;
  });
  const several = data.plays.length > 1;
  const columns = [["host"], ...(several ? [["play"]] : []), ["task"], ["verdict"], ["rc", true], ["seconds", true], ["message"]];
  const keys = columns.map(([name]) => name);

  const options = [["all results", () => true, ""]];
  const bad = rows.filter((row) => row.kind === "bad").length;
  if (bad) options.push([`not good (${bad})`, (row) => row.kind === "bad", "bad"]);
  data.verdicts.forEach(([word]) => {
    const count = rows.filter((row) => row.verdict === word).length;
    if (count) options.push([`${word} (${count})`, (row) => row.verdict === word, word]);
  });

  const line = (row) => {
    const made = make("tr");
    const host = make("th", row.host);
    host.scope = "row";
    made.append(host);
    for (const key of keys.slice(1)) {
      const cell = make("td", key === "seconds" ? row.seconds.toFixed(3) : row[key],
        key === "verdict" ? row.kind : key === "message" ? "message" : key === "rc" || key === "seconds" ? "number" : "");
      if (key === "task" && row.path) cell.title = row.path;
      made.append(cell);
    }
    return made;
  };

  const left = data.left_out ? `; ${data.left_out} good ones more are in --csv` : "";
  showTable({
    heads: keys, numeric: columns.map(([, number]) => Boolean(number)), rows, options, line,
    value: (row, column) => row[keys[column]],
    last: (row, column) => row[keys[column]] === "",
    tie: (a, b, collator) => collator.compare(a.host, b.host),
    said: (shown, all) => `${shown} of ${all} results${left}`,
    sorted: { column: 0, up: true },
  });
})();
