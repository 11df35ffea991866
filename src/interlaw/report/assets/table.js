// The table of all trials: sorted by a click on a heading, filtered by words and comparisons, downloaded as CSV.
"use strict";

const tableRows = [...document.querySelectorAll("#trials tbody tr")];
const COMPARE = { "<": (a, b) => a < b, ">": (a, b) => a > b, "<=": (a, b) => a <= b, ">=": (a, b) => a >= b, "=": (a, b) => a === b };

const PAUSE_MS = 120; // between the last key and the search
const CHUNK = 100; // rows that come at once; as many again each time the reader reaches the end
const rowText = new Map();
let mostRows = CHUNK;
let rowOrder = trials.key.map((_, row) => row);
let sortedBy = "";

// A row's words in lower case, read once.
function wordsOf(row) {
  if (!rowText.has(row)) rowText.set(row, tableRows[row].textContent.toLowerCase());
  return rowText.get(row);
}

// "depth>2 loss<=2.4 done": comparisons of columns, and words that must occur in the row.
function matcher(words) {
  const tests = words.trim().split(/\s+/).filter(Boolean).map((word) => {
    const [, name, sign, value] = /^(\w+)(<=|>=|<|>|=)(.+)$/.exec(word) ?? [];
    if (!name || !(name in trials)) return (row) => wordsOf(row).includes(word.toLowerCase());
    const wanted = Number.isNaN(Number(value)) ? value : Number(value);
    return (row) => trials[name][row] !== null && COMPARE[sign](trials[name][row], wanted);
  });
  return (row) => tests.every((test) => test(row));
}

// Rows move only when the order asked for is another one.
function sortRows() {
  if (state.sort === sortedBy) return;
  const rows = trials.key.map((_, row) => row);
  const values = trials[state.sort.replace(/^-/, "")];
  const sign = state.sort.startsWith("-") ? -1 : 1;
  const compare = (a, b) => {
    if (values[a] === null || values[b] === null) return (values[a] === null) - (values[b] === null);
    return sign * (values[a] < values[b] ? -1 : values[a] > values[b] ? 1 : 0);
  };
  [rowOrder, sortedBy] = [values ? rows.sort(compare) : rows, state.sort];
  document.querySelector("#trials tbody").append(...rowOrder.map((row) => tableRows[row]));
}

const visibleRows = () => {
  const matches = matcher(state.find);
  return rowOrder.filter((row) => isShown(row) && matches(row));
};

function drawTable() {
  sortRows();
  const place = new Map(visibleRows().map((row, i) => [row, i]));
  tableRows.forEach((element, row) => {
    if (element.hidden === place.has(row)) element.hidden = !place.has(row);
    element.classList.toggle("later", place.get(row) >= mostRows);
  });
  const first = place.size > mostRows ? `, the first ${number(mostRows)} shown: scroll for more` : "";
  document.getElementById("shown").textContent = `${number(place.size)} of ${number(tableRows.length)} trials${first}`;
  for (const heading of document.querySelectorAll("#trials th[data-column]")) {
    const mine = state.sort.replace(/^-/, "") === heading.dataset.column;
    if (mine) heading.setAttribute("aria-sort", state.sort.startsWith("-") ? "descending" : "ascending");
    else heading.removeAttribute("aria-sort");
  }
}

// At the table's end the next rows come.
function onTableScroll({ target: { scrollTop, clientHeight, scrollHeight } }) {
  if (scrollTop + 2 * clientHeight < scrollHeight || mostRows >= tableRows.length) return;
  mostRows += CHUNK;
  drawTable();
}

let findTimer = 0;
function onFind() {
  clearTimeout(findTimer);
  findTimer = setTimeout(applyFind, PAUSE_MS);
}

function applyFind() {
  clearTimeout(findTimer);
  state.find = document.getElementById("find").value;
  writeAddress();
  drawTable();
}

function sortBy(column) {
  state.sort = state.sort === column ? `-${column}` : state.sort === `-${column}` ? "" : column;
}

function csv() {
  const columns = Object.keys(trials);
  // a text that a spreadsheet would take for a formula stays a text
  const plain = (value) => (typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value));
  const words = { true: "True", false: "False" }; // as `interlaw export` writes them
  const cell = (value) => (typeof value === "boolean" ? words[value] : value === null ? "" : /[",\n\r]/.test(plain(value)) ? `"${plain(value).replaceAll('"', '""')}"` : plain(value));
  const lines = visibleRows().map((row) => columns.map((column) => cell(trials[column][row])).join(","));
  return [columns.join(","), ...lines].join("\n") + "\n";
}

function download() {
  applyFind();
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
  tableRows.forEach((element, row) => {
    const cell = element.firstElementChild;
    const words = cell.textContent;
    const name = `${words}: ${trials.depth[row]} layers x ${trials.width[row]}, seed ${trials.seed[row]}`;
    cell.replaceChildren(html("button", { type: "button", "aria-pressed": "false", "aria-label": name }, words));
  });
  const find = html("input", { id: "find", type: "search", placeholder: "depth>2 loss<2.4 done", autocomplete: "off", spellcheck: "false" });
  find.addEventListener("input", onFind);
  const save = html("button", { type: "button", id: "download" }, "Download CSV");
  save.addEventListener("click", download);
  const bar = html("div", { class: "table-bar" }, html("label", { for: "find" }, "Filter"), find, html("output", { id: "shown", for: "find" }), save);
  const scroll = document.querySelector("#trials .scroll");
  scroll.before(bar);
  scroll.addEventListener("scroll", onTableScroll, { passive: true });
}
