// What the reader has chosen. It lives in the address, so that a link shows the same view again.
"use strict";

const DATA = JSON.parse(document.getElementById("data").textContent);
const trials = DATA.trials;
const rowOf = new Map(trials.key.map((key, row) => [key, row]));
const shapeOf = (budget, depth, width) => `${budget}:${depth}x${width}`;
const shapeOfRow = (row) => shapeOf(trials.budget[row], trials.depth[row], trials.width[row]);

const budgetText = new Map(DATA.budget_texts);
const budgets = [...new Set(trials.budget)].sort((a, b) => a - b);
const seeds = [...new Set(trials.seed)].sort((a, b) => a - b);
const treatments = [...new Set(DATA.analyses.map((each) => each.treatment))];
const views = [...new Set(DATA.analyses.map((each) => each.view))];

const DEFAULTS = { budgets: "", seeds: "", treatment: treatments[0], view: views[0], excess: "", shape: "", trial: "", sort: "", find: "", theme: "" };
const state = { ...DEFAULTS };
let part = "";

function readAddress() {
  part = partOf(location.hash);
  const given = new URLSearchParams(location.hash.slice(1));
  for (const name of Object.keys(DEFAULTS)) state[name] = given.get(name) ?? DEFAULTS[name];
  if (!treatments.includes(state.treatment)) state.treatment = DEFAULTS.treatment;
  if (!views.includes(state.view)) state.view = DEFAULTS.view;
  if (state.trial && !rowOf.has(state.trial)) state.trial = "";
  if (state.trial) state.shape = shapeOfRow(rowOf.get(state.trial));
  if (state.shape && !trials.key.some((_, row) => shapeOfRow(row) === state.shape)) state.shape = "";
}

function writeAddress() {
  const changed = Object.entries(state).filter(([name, value]) => value !== DEFAULTS[name]);
  writeHash(addressOf(part, changed));
}

// `budgets` and `seeds` hold what is switched off.
const switchedOff = (name) => new Set(state[name].split(",").filter(Boolean).map(Number));
const isOn = (name, value) => !switchedOff(name).has(value);

function toggle(name, value) {
  const off = switchedOff(name);
  if (!off.delete(value)) off.add(value);
  state[name] = [...off].sort((a, b) => a - b).join(",");
}

const isShown = (row) => isOn("budgets", trials.budget[row]) && isOn("seeds", trials.seed[row]) && trials.treatment[row] === state.treatment;
const analysis = () => DATA.analyses.find((each) => each.treatment === state.treatment && each.view === state.view);
const shownPanels = () => analysis().panels.filter((panel) => isOn("budgets", panel.fit.budget));
const rowsOfShape = (shape) => trials.key.map((_, row) => row).filter((row) => shapeOfRow(row) === shape && trials.treatment[row] === state.treatment && trials.stage[row] === "final");
