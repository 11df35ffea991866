// A page's life: figures drawn by Vega when they come into view, pointing, choosing, switches, keyboard, theme.
"use strict";

const DATA = JSON.parse(document.getElementById("data").textContent);
const CALM_MS = 50; // between two figures that are drawn while the reader looks elsewhere
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const byId = (id) => document.getElementById(id);

// ---- what the reader chose; it lives in the address, so that a link shows the same page again ----

const first = (name) => byId(`choose-${name}`)?.options[0].value ?? "";
const DEFAULTS = { budgets: "", seeds: "", treatment: first("treatment"), view: first("view"), shape: "", trial: "", sort: "", find: "", theme: "" };
const state = { ...DEFAULTS };
let part = ""; // of the page, that the address names

const partOf = (hash) => {
  const name = hash.replace(/^#/, "").split("&")[0];
  return !name.includes("=") && byId(name)?.matches("section") ? name : "";
};

function readAddress() {
  part = partOf(location.hash);
  const given = new URLSearchParams(location.hash.slice(1));
  for (const name of Object.keys(DEFAULTS)) state[name] = given.get(name) ?? DEFAULTS[name];
  for (const name of ["treatment", "view"]) {
    if (![...(byId(`choose-${name}`)?.options ?? [])].some(({ value }) => value === state[name])) state[name] = DEFAULTS[name];
  }
  if (!["", "light", "dark"].includes(state.theme)) state.theme = "";
  const row = state.trial && all("tr[data-key]").find(({ dataset }) => dataset.key === state.trial);
  if (!row) state.trial = "";
  else state.shape = row.dataset.shape;
  if (!all("tr[data-shape]").some(({ dataset }) => dataset.shape === state.shape)) state.shape = "";
}

function writeAddress() {
  const changed = Object.entries(state).filter(([name, value]) => value !== DEFAULTS[name]);
  const hash = [part, new URLSearchParams(changed).toString()].filter(Boolean).join("&");
  if (hash !== location.hash.slice(1)) history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
}

// `budgets` and `seeds` hold what is switched off.
const off = (name) => state[name].split(",").filter(Boolean).map(Number);
const isOn = (name, value) => !off(name).includes(Number(value));

function toggle(name, value) {
  const now = new Set(off(name));
  if (!now.delete(value)) now.add(value);
  state[name] = [...now].sort((a, b) => a - b).join(",");
}

// ---- figures ----

const drawn = new Map(); // cell to what Vega-Embed gave, once it is drawn
const OPTIONS = { ast: true, renderer: "svg", actions: false, defaultStyle: false, logLevel: 1, config: DATA.config, tooltip: onTooltip };
const signals = () => ({ chosen: state.shape, trial: state.trial, off_budgets: off("budgets"), off_seeds: off("seeds") });

// Vega's expressions are interpreted (`ast`), since the page's policy lets no script be made from text.
async function drawCell(cell) {
  if (drawn.has(cell) || !cell.checkVisibility()) return;
  drawn.set(cell, null);
  const place = cell.querySelector(".chart");
  const result = await vegaEmbed(place, DATA.panels[cell.dataset.panel], OPTIONS);
  drawn.set(cell, result);
  result.view.resize(); // now that the room is known the legend may take a row more
  result.view.addEventListener("click", (event, item) => item?.datum?.shape && choose(item.datum.shape, item.datum.key ?? ""));
  place.removeAttribute("aria-label");
  cell.querySelector(".save").hidden = false;
  await tell(cell, signals());
}

// A width of its own takes a layout of its own: the legend may need a row more or less.
let widthTimer = 0;
function onResize() {
  clearTimeout(widthTimer);
  widthTimer = setTimeout(() => { for (const result of drawn.values()) result?.view.resize().runAsync(); }, CALM_MS);
}

// Hands values to a figure, and lets the keyboard reach its marks: one stop of the tab key a figure.
async function tell(cell, values) {
  const view = drawn.get(cell)?.view;
  if (!view) return;
  for (const [name, value] of Object.entries(values)) view.signal(name, value);
  await view.runAsync();
  for (const full of all(".role-mark[data-empty]:not(:empty)", cell)) { full.removeAttribute("aria-hidden"); delete full.dataset.empty; }
  for (const empty of all(".role-mark:empty:not([aria-hidden])", cell)) { empty.setAttribute("aria-hidden", "true"); empty.dataset.empty = ""; }
  const marks = all(".role-mark [role=graphics-symbol]", cell);
  for (const mark of marks) if (!mark.hasAttribute("tabindex")) mark.setAttribute("tabindex", "-1");
  if (!marks.some((mark) => mark.getAttribute("tabindex") === "0")) marks[0]?.setAttribute("tabindex", "0");
}

// Figures in view come first, one by one; then the others while nothing else is to do, so that print has them all.
const inView = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) if (isIntersecting) drawCell(target);
}, { rootMargin: "200px" });

let restTimer = 0;
async function drawRest() {
  for (const cell of all(".cell")) {
    if (drawn.has(cell) || !cell.checkVisibility()) continue;
    await new Promise((resolve) => { setTimeout(resolve, CALM_MS); });
    await drawCell(cell);
  }
  document.body.dataset.drawn = "all";
}

// A figure has its room before it is drawn, so that what the reader looks at stays where it is.
const AXIS = 40; // pixels, about
function watchFigures() {
  for (const cell of all(".cell[data-panel]")) {
    cell.querySelector(".chart").style.minHeight = `${DATA.panels[cell.dataset.panel].height + AXIS}px`;
    inView.observe(cell);
  }
}

function showFigures() {
  for (const cell of all(".cell[data-panel]")) {
    const { budget, view, treatment } = cell.dataset;
    const fits = (!budget || isOn("budgets", budget)) && (!view || view === state.view) && (!treatment || treatment === state.treatment);
    if (cell.hidden !== fits) continue;
    cell.hidden = !fits;
    inView.unobserve(cell);
    if (fits) inView.observe(cell);
  }
  for (const cell of drawn.keys()) tell(cell, signals());
  delete document.body.dataset.drawn;
  clearTimeout(restTimer);
  restTimer = setTimeout(drawRest, 5 * CALM_MS);
}

// A figure by itself, with its title and caption inside, as a file; lines of so many letters fill its width.
const linesOf = (words, most) => words?.match(new RegExp(`\\S.{0,${most - 1}}(?=\\s|$)`, "g")) ?? [];
async function saveFigure(cell, form) {
  const [heading, note] = ["h3", ".note"].map((each) => cell.querySelector(each)?.textContent);
  const [message, caption] = [".message", "figcaption"].map((each) => cell.closest("figure")?.querySelector(each)?.textContent);
  const title = { text: linesOf(heading ?? message, 64), subtitle: [...linesOf(note, 80), ...linesOf(caption, 80)] };
  const { view } = await vegaEmbed(document.createElement("div"), { ...DATA.panels[cell.dataset.panel], title, width: 480 }, OPTIONS);
  for (const [name, value] of Object.entries(signals())) view.signal(name, value);
  await view.resize().runAsync();
  saveAs(await view.toImageURL(form, 2), `${cell.dataset.panel.replace(":", "-")}.${form}`);
  view.finalize();
}

function saveAs(href, download) {
  Object.assign(document.createElement("a"), { href, download }).click();
  if (href.startsWith("blob:")) setTimeout(() => URL.revokeObjectURL(href), 10_000);
}

// ---- pointing and choosing ----

const tip = Object.assign(document.createElement("div"), { id: "tip", hidden: true });
tip.setAttribute("aria-hidden", "true");

function onTooltip(handler, event, item, words) {
  tip.hidden = words === null || words === undefined || words === "";
  if (!tip.hidden) showTip(String(words), event.clientX, event.clientY);
}

function showTip(words, x, y) {
  tip.textContent = words;
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(8, Math.min(x + 14, innerWidth - width - 8))}px`;
  tip.style.top = `${y + height + 24 > innerHeight ? Math.max(8, y - height - 14) : y + 14}px`;
}

function choose(shape, trial = "") {
  const same = state.shape === shape && state.trial === trial;
  [state.shape, state.trial] = same ? ["", ""] : [shape, trial];
  showChoice();
  for (const cell of drawn.keys()) tell(cell, signals());
  writeAddress();
}

// What the table says of the chosen shape, or of the chosen trial alone.
function showChoice() {
  const card = byId("choice");
  if (!card) return;
  const rows = all("#trials tbody tr");
  for (const row of rows) {
    const chosen = state.shape !== "" && row.dataset.shape === state.shape && (!state.trial || row.dataset.key === state.trial);
    row.classList.toggle("chosen", chosen);
    row.querySelector("button")?.setAttribute("aria-pressed", chosen);
  }
  document.body.classList.toggle("choosing", state.shape !== "");
  card.hidden = state.shape === "";
  const chosen = rows.filter((row) => row.classList.contains("chosen"));
  if (!chosen.length) return;
  const headings = all("#trials thead th").map((each) => [each.dataset.column, each.textContent]);
  const said = (row, names) => headings.map(([name, words], i) => (names(name) ? `${words}: ${row.cells[i].textContent}` : null)).filter(Boolean);
  const shared = ["budget", "depth", "width", "ratio", "params"];
  const own = ["seed", "loss", "status"];
  const lines = [said(chosen[0], (name) => shared.includes(name)).join(", ")];
  if (state.trial) lines.push(...said(chosen[0], (name) => !shared.includes(name)));
  else lines.push(...chosen.filter((row) => !row.dataset.treatment || row.dataset.treatment === state.treatment).map((row) => said(row, (name) => own.includes(name)).join(", ")));
  card.firstElementChild.textContent = lines.join("\n");
}

// Within a figure the arrows walk from mark to mark; Enter chooses, Escape lets go.
function onKey(event) {
  if (event.key === "Escape" && state.shape) return choose(state.shape, state.trial);
  const mark = event.target.closest?.("svg [tabindex]");
  if (!mark) return undefined;
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    const datum = mark.__data__?.datum;
    return datum?.shape ? choose(datum.shape, datum.key ?? "") : undefined;
  }
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step) return undefined;
  event.preventDefault();
  const marks = all("[tabindex]", mark.ownerSVGElement);
  const next = marks[(marks.indexOf(mark) + step + marks.length) % marks.length];
  mark.setAttribute("tabindex", "-1");
  next.setAttribute("tabindex", "0");
  return next.focus();
}

// ---- the whole ----

function showControls() {
  for (const input of all("#controls input[name]")) input.checked = isOn(input.name, input.value);
  for (const select of all("#controls select")) select.value = state[select.name];
  const note = byId("seeds-note");
  if (note) note.textContent = state.seeds ? "means and fits still hold every seed" : "";
}

function refresh() {
  document.documentElement.dataset.theme = state.theme;
  if (byId("theme")) byId("theme").textContent = `Theme: ${state.theme || "system"}`;
  showControls();
  showFigures();
  if (typeof drawTable === "function") drawTable();
  showChoice();
  writeAddress();
}

function onChange({ target }) {
  if (target.type === "checkbox") toggle(target.name, Number(target.value));
  else state[target.name] = target.value;
  refresh();
}

function onHash() {
  if (location.hash.length > 1 && !location.hash.includes("=")) {
    part = partOf(location.hash);
    writeAddress();
    return byId(part)?.scrollIntoView();
  }
  readAddress();
  return refresh();
}

function start() {
  document.body.append(tip);
  const controls = byId("controls");
  if (controls) {
    controls.hidden = false;
    controls.addEventListener("change", onChange);
    controls.addEventListener("submit", (event) => event.preventDefault());
  }
  byId("theme")?.addEventListener("click", () => { state.theme = { "": "light", light: "dark", dark: "" }[state.theme]; refresh(); });
  document.addEventListener("click", ({ target }) => {
    const button = target.closest(".save button");
    if (button) saveFigure(button.closest(".cell"), button.dataset.form);
  });
  document.addEventListener("keydown", onKey);
  document.addEventListener("focusin", ({ target }) => {
    const words = target.matches?.("svg [tabindex]") ? target.getAttribute("aria-label") : null;
    const { right, bottom } = target.getBoundingClientRect();
    if (words && target.matches(":focus-visible")) showTip(words, right, bottom);
    else tip.hidden = true;
  });
  addEventListener("scroll", () => { tip.hidden = true; }, { passive: true, capture: true });
  addEventListener("hashchange", onHash);
  addEventListener("resize", onResize);
  readAddress();
  refresh();
  watchFigures();
  if (part && performance.getEntriesByType("navigation")[0]?.type === "navigate") byId(part).scrollIntoView();
}

addEventListener("DOMContentLoaded", start);
