// The table of all trials: sorted by a click on a heading, filtered by words and comparisons, downloaded as CSV.
"use strict";

const trials = DATA.trials;
const tableRows = all("#trials tbody tr");
for (const [name, cells] of Object.entries(trials)) if (cells.length === 1) trials[name] = Array(tableRows.length).fill(cells[0]);
// A cell as a number where it is one; null where it is empty.
const valueOf = (cell) => (cell === "" ? null : Number.isNaN(Number(cell)) ? cell : Number(cell));
const COMPARE = { "<": (a, b) => a < b, ">": (a, b) => a > b, "<=": (a, b) => a <= b, ">=": (a, b) => a >= b, "=": (a, b) => a === b };
const PAUSE_MS = 120; // between the last key and the search
const CHUNK = 100; // rows that come at once; as many again each time the reader reaches the end
const rowText = new Map();
let mostRows = CHUNK;
let rowOrder = trials.key.map((_, row) => row);
let sortedBy = "";
let findTimer = 0;

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
    return (row) => trials[name][row] !== "" && COMPARE[sign](valueOf(trials[name][row]), valueOf(value));
  });
  return (row) => tests.every((test) => test(row));
}

// Rows move only when the order asked for is another one.
function sortRows() {
  if (state.sort === sortedBy) return;
  const rows = trials.key.map((_, row) => row);
  const values = trials[state.sort.replace(/^-/, "")]?.map(valueOf);
  const sign = state.sort.startsWith("-") ? -1 : 1;
  const compare = (a, b) => {
    if (values[a] === null || values[b] === null) return (values[a] === null) - (values[b] === null);
    return sign * (values[a] < values[b] ? -1 : values[a] > values[b] ? 1 : 0);
  };
  [rowOrder, sortedBy] = [values ? rows.sort(compare) : rows, state.sort];
  document.querySelector("#trials tbody").append(...rowOrder.map((row) => tableRows[row]));
}

const isShown = (row) => isOn("budgets", trials.budget[row]) && isOn("seeds", trials.seed[row]) && (!state.treatment || trials.treatment[row] === state.treatment);

function visibleRows() {
  const matches = matcher(state.find);
  return rowOrder.filter((row) => isShown(row) && matches(row));
}

function drawTable() {
  sortRows();
  const place = new Map(visibleRows().map((row, i) => [row, i]));
  tableRows.forEach((element, row) => {
    if (element.hidden === place.has(row)) element.hidden = !place.has(row);
    element.classList.toggle("later", place.get(row) >= mostRows);
  });
  const more = place.size > mostRows ? `, the first ${mostRows} shown: scroll for more` : "";
  byId("shown").textContent = `${place.size.toLocaleString("en")} of ${tableRows.length.toLocaleString("en")} trials${more}`;
  for (const heading of all("#trials th[data-column]")) {
    const mine = state.sort.replace(/^-/, "") === heading.dataset.column;
    if (mine) heading.setAttribute("aria-sort", state.sort.startsWith("-") ? "descending" : "ascending");
    else heading.removeAttribute("aria-sort");
  }
  const find = byId("find");
  if (find.value !== state.find && document.activeElement !== find) find.value = state.find;
}

// At the table's end the next rows come.
function onTableScroll({ target: { scrollTop, clientHeight, scrollHeight } }) {
  if (scrollTop + 2 * clientHeight < scrollHeight || mostRows >= tableRows.length) return;
  mostRows += CHUNK;
  drawTable();
}

function applyFind() {
  clearTimeout(findTimer);
  state.find = byId("find").value;
  writeAddress();
  drawTable();
}

// The cells are those of `interlaw export`: they only need the quotes of CSV again.
function csv() {
  const quoted = (cell) => (/[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  const lines = visibleRows().map((row) => Object.values(trials).map((cells) => cells[row]));
  return [Object.keys(trials), ...lines].map((cells) => `${cells.map(quoted).join(",")}\n`).join("");
}

const headingButton = (words, label = words) => {
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: words });
  button.setAttribute("aria-label", label);
  return button;
};

function startTable() {
  for (const heading of all("#trials th[data-column]")) {
    const { column } = heading.dataset;
    const button = headingButton(heading.textContent, `Sort by ${heading.textContent}`);
    button.addEventListener("click", () => { state.sort = state.sort === column ? `-${column}` : state.sort === `-${column}` ? "" : column; refresh(); });
    heading.replaceChildren(button);
  }
  tableRows.forEach((element, row) => {
    const cell = element.firstElementChild;
    const button = headingButton(cell.textContent, `${cell.textContent}: ${trials.depth[row]} layers x ${trials.width[row]}, seed ${trials.seed[row]}`);
    button.setAttribute("aria-pressed", "false");
    cell.replaceChildren(button);
  });
  byId("find").addEventListener("input", () => { clearTimeout(findTimer); findTimer = setTimeout(applyFind, PAUSE_MS); });
  byId("download").addEventListener("click", () => { applyFind(); saveAs(URL.createObjectURL(new Blob([csv()], { type: "text/csv" })), "trials.csv"); });
  document.querySelector("#trials .table-bar").hidden = false;
  document.querySelector("#trials .scroll").addEventListener("scroll", onTableScroll, { passive: true });
  document.querySelector("#trials tbody").addEventListener("click", ({ target }) => {
    const row = target.closest("tr");
    if (row) choose(row.dataset.shape, row.dataset.key);
  });
  const card = document.createElement("aside");
  card.setAttribute("aria-label", "Chosen trial");
  card.setAttribute("aria-live", "polite");
  const close = headingButton("Clear");
  close.addEventListener("click", () => choose(state.shape, state.trial));
  card.append(document.createElement("p"), close);
  Object.assign(card, { id: "choice", hidden: true });
  document.body.append(card);
}

startTable();
