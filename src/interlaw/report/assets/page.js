// Brings the page to life: switches, pointing, choosing, keyboard, theme. Drawn again only when what is shown changes.
"use strict";

const PANELS = {
  "loss-against-ratio": drawLoss,
  "interaction-plane": (host) => drawPlane(host, document.getElementById("heat-scale")),
  "best-ratio": drawLaw,
  "best-ratio-published": drawPublished,
  "treatments": (host) => drawTreatments(host, document.getElementById("differences")),
  "learning-curves": drawCurves,
};

function draw() {
  for (const [name, panel] of Object.entries(PANELS)) {
    const host = document.querySelector(`#${name} .plot`);
    if (!host) continue;
    panel(host);
    tabStops(host);
  }
}

function refresh() {
  showTheme();
  showControls();
  draw();
  drawTable();
  showChoice();
  writeAddress();
}

// ---- switches ----

function checkbox(name, value, words, glyph = null) {
  const input = html("input", { type: "checkbox", name, value });
  input.addEventListener("change", () => { toggle(name, value); refresh(); });
  return html("label", { class: "chip" }, input, glyph, words);
}

function choices(name, words, values) {
  const select = html("select", { id: `choose-${name}` }, ...values.map((value) => html("option", { value }, value)));
  select.addEventListener("change", () => { state[name] = select.value; refresh(); });
  return html("label", { class: "choice" }, words, select);
}

const group = (words, ...parts) => html("fieldset", {}, html("legend", {}, words), ...parts);

function prepareControls() {
  const bar = document.getElementById("controls");
  bar.append(group("Budgets", ...budgets.map((budget) => checkbox("budgets", budget, budgetText.get(budget), keyMark(kindOf(budget), "glyph")))));
  if (seeds.length > 1) bar.append(group("Seeds", ...seeds.map((seed) => checkbox("seeds", seed, String(seed))), html("span", { id: "seeds-note", class: "quiet", role: "status" })));
  const interaction = [];
  if (views.length > 1) interaction.push(choices("view", "View", views));
  if (views[0]) {
    const excess = html("input", { type: "checkbox", id: "excess" });
    excess.addEventListener("change", () => { state.excess = excess.checked ? "1" : ""; refresh(); });
    interaction.push(html("label", { class: "chip" }, excess, "excess over chance"));
  }
  if (interaction.length) bar.append(group("Interaction", ...interaction));
  if (treatments.length > 1) bar.append(group("Learning rate", choices("treatment", "Treatment", treatments)));
  bar.append(themeButton());
  bar.hidden = false;
}

function showControls() {
  for (const input of document.querySelectorAll("#controls input[name]")) input.checked = isOn(input.name, Number(input.value));
  const note = document.getElementById("seeds-note");
  if (note) note.textContent = seeds.every((seed) => isOn("seeds", seed)) ? "" : "means and fits still hold every seed";
  for (const name of ["view", "treatment"]) {
    const select = document.getElementById(`choose-${name}`);
    if (select) select.value = state[name];
  }
  const excess = document.getElementById("excess");
  if (excess) excess.checked = state.excess === "1";
  const find = document.getElementById("find");
  if (find.value !== state.find && document.activeElement !== find) find.value = state.find;
}

// ---- pointing and choosing ----

function shapeLines(shape, key) {
  const rows = key ? [rowOf.get(key)] : rowsOfShape(shape);
  const row = rows[0];
  if (row === undefined) return [shape];
  const lines = [
    `${trials.depth[row]} layers x ${trials.width[row]}, R = ${number(trials.ratio[row], 3)}`,
    `${number(trials.params[row])} parameters (budget: ${budgetText.get(trials.budget[row])})`,
    ...rows.map((each) => `seed ${trials.seed[each]}: ${trials.status[each] === "done" ? `loss ${number(trials.loss[each])}` : trials.status[each]}`),
  ];
  if (key) return [...lines, ...measuredLines(row)];
  const point = analysis().plane.find((each) => shapeOf(each.budget, each.depth, each.width) === shape);
  if (point) {
    lines.push(`AOFE ${number(point.aofe, 3)}, AOFE-ratio ${number(point.aofe_ratio)} (${state.view})`);
    if (point.null_ratio !== null) lines.push(`by chance ${number(point.null_ratio)}, excess ${number(point.excess_ratio, 3)}`);
  }
  return lines;
}

// One trial's own measurement, with its interval.
function measuredLines(row) {
  const of = (name) => trials[`${state.view}_${name}`]?.[row] ?? null;
  const said = (words, name, digits) => `${words} ${number(of(name), digits)} (${number(of(`${name}_low`), digits)} to ${number(of(`${name}_high`), digits)})`;
  return of("aofe") === null ? [] : [said(`${state.view}: AOFE`, "aofe", 3), said("AOFE-ratio", "aofe_ratio", 4), said("excess over chance", "excess_ratio", 3)];
}

const tipOf = (target) => target.dataset.tip ?? shapeLines(target.dataset.shape, target.dataset.key).join("\n");

function choose(shape, key = "") {
  const same = state.shape === shape && state.trial === key;
  state.shape = same ? "" : shape;
  state.trial = same ? "" : key;
  showChoice();
  writeAddress();
}

function setChosen(element, chosen) {
  element.classList.toggle("chosen", chosen);
  const button = element.matches("tr") ? element.querySelector("button") : element;
  if (button.hasAttribute("aria-pressed")) button.setAttribute("aria-pressed", chosen);
}

function showChoice() {
  document.body.classList.toggle("choosing", state.shape !== "");
  for (const element of document.querySelectorAll(".chosen[data-shape]")) setChosen(element, false);
  for (const element of state.shape ? document.querySelectorAll(`[data-shape="${CSS.escape(state.shape)}"]`) : []) {
    setChosen(element, !state.trial || !element.dataset.key || element.dataset.key === state.trial);
  }
  const card = document.getElementById("choice");
  card.hidden = state.shape === "";
  if (state.shape) card.firstElementChild.textContent = shapeLines(state.shape, state.trial).join("\n");
}

function prepareChoosing() {
  const close = html("button", { type: "button" }, "Clear");
  close.addEventListener("click", () => choose(state.shape, state.trial));
  document.body.append(html("aside", { id: "choice", "aria-live": "polite", "aria-label": "Chosen trial", hidden: true }, html("p"), close));
  prepareTip(tipOf);
  document.addEventListener("click", (event) => {
    const target = marked(event);
    if (target?.dataset.shape) choose(target.dataset.shape, target.dataset.key);
    else if (target) showTip(tipOf(target), event.clientX, event.clientY);
  });
  document.addEventListener("keydown", onKey);
}

// Within a panel the arrows walk from mark to mark; Enter chooses, Escape lets go.
function onKey(event) {
  if (event.key === "Escape" && state.shape) return choose(state.shape, state.trial);
  const mark = event.target.closest?.("svg [tabindex]");
  if (!mark) return undefined;
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    return mark.dataset.shape ? choose(mark.dataset.shape, mark.dataset.key) : undefined;
  }
  return walk(event, mark);
}

function onHash() {
  if (choosesNothing(location.hash)) {
    part = partOf(location.hash);
    writeAddress();
    return goTo(part);
  }
  readAddress();
  return refresh();
}

prepareControls();
prepareTable();
prepareChoosing();
readAddress();
refresh();
goToFirst(part);
addEventListener("hashchange", onHash);
let drawnWidth = innerWidth;
const onResize = () => {
  if (innerWidth === drawnWidth) return;
  drawnWidth = innerWidth;
  draw();
  showChoice();
};
addEventListener("resize", onResize);
matchMedia("print").addEventListener("change", () => { draw(); showChoice(); });
