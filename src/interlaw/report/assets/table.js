// The table of all trials: sorted by a click on a heading, filtered by words and comparisons, downloaded as CSV.
"use strict";

const tableRows = [...document.querySelectorAll("#trials tbody tr")];
const COMPARE = { "<": (a, b) => a < b, ">": (a, b) => a > b, "<=": (a, b) => a <= b, ">=": (a, b) => a >= b, "=": (a, b) => a === b };

// "depth>2 loss<=2.4 done": comparisons of columns, and words that must occur in the row.
function matcher(words) {
  const tests = words.trim().split(/\s+/).filter(Boolean).map((word) => {
    const [, name, sign, value] = /^(\w+)(<=|>=|<|>|=)(.+)$/.exec(word) ?? [];
    if (!name || !(name in trials)) return (row) => tableRows[row].textContent.toLowerCase().includes(word.toLowerCase());
    const wanted = Number.isNaN(Number(value)) ? value : Number(value);
    return (row) => trials[name][row] !== null && COMPARE[sign](trials[name][row], wanted);
  });
  return (row) => tests.every((test) => test(row));
}

function tableOrder() {
  const rows = trials.key.map((_, row) => row);
  const column = state.sort.replace(/^-/, "");
  if (!(column in trials)) return rows;
  const sign = state.sort.startsWith("-") ? -1 : 1;
  const values = trials[column];
  return rows.sort((a, b) => {
    if (values[a] === null || values[b] === null) return (values[a] === null) - (values[b] === null);
    return sign * (values[a] < values[b] ? -1 : values[a] > values[b] ? 1 : 0);
  });
}

const visibleRows = () => {
  const matches = matcher(state.find);
  return tableOrder().filter((row) => isShown(row) && matches(row));
};

function drawTable() {
  const visible = new Set(visibleRows());
  const body = document.querySelector("#trials tbody");
  body.append(...tableOrder().map((row) => tableRows[row]));
  tableRows.forEach((element, row) => { element.hidden = !visible.has(row); });
  document.getElementById("shown").textContent = `${visible.size} of ${tableRows.length} trials`;
  for (const heading of document.querySelectorAll("#trials th[data-column]")) {
    const mine = state.sort.replace(/^-/, "") === heading.dataset.column;
    if (mine) heading.setAttribute("aria-sort", state.sort.startsWith("-") ? "descending" : "ascending");
    else heading.removeAttribute("aria-sort");
  }
}

function sortBy(column) {
  state.sort = state.sort === column ? `-${column}` : state.sort === `-${column}` ? "" : column;
}

function csv() {
  const columns = Object.keys(trials);
  // a text that a spreadsheet would take for a formula stays a text
  const plain = (value) => (typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value));
  const cell = (value) => (value === null ? "" : /[",\n\r]/.test(plain(value)) ? `"${plain(value).replaceAll('"', '""')}"` : plain(value));
  const lines = visibleRows().map((row) => columns.map((column) => cell(trials[column][row])).join(","));
  return [columns.join(","), ...lines].join("\n") + "\n";
}

function download() {
  const address = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
  html("a", { href: address, download: "trials.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

function prepareTable() {
  for (const heading of document.querySelectorAll("#trials th[data-column]")) {
    const button = html("button", { type: "button" }, heading.textContent);
    button.addEventListener("click", () => { sortBy(heading.dataset.column); refresh(); });
    heading.replaceChildren(button);
  }
  const find = html("input", { id: "find", type: "search", placeholder: "depth>2 loss<2.4 done", autocomplete: "off", spellcheck: "false" });
  find.addEventListener("input", () => { state.find = find.value; writeAddress(); drawTable(); });
  const save = html("button", { type: "button", id: "download" }, "Download CSV");
  save.addEventListener("click", download);
  const bar = html("div", { class: "table-bar" }, html("label", { for: "find" }, "Filter"), find, html("output", { id: "shown", for: "find" }), save);
  document.querySelector("#trials .scroll").before(bar);
}
