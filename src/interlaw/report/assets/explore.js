// Brings the explorer to life: the form, choosing a shape, keyboard, theme. Worked out again at every change.
"use strict";

let found = null;
const DRAWN = { cost: drawCost, sizes: drawSizes, scores: drawScores };
const WORDS = {
  vocab_size: "Vocabulary", context: "Context", head_dim: "Head width", num_kv_heads: "Key-value heads", d_ff: "d_ff", d_ff_ratio: "d_ff / width",
  d_ff_multiple_of: "d_ff is a multiple of", tied: "Head tied to the token table", input_size: "Inputs", output_size: "Outputs", channels: "Channels", image_size: "Image side", supervised: "Supervised pixels", time: "Steps",
};
const EMPTY = { num_kv_heads: "as many as heads", d_ff: "by its ratio" };

// ---- the form ----

function field(name, words, { placeholder = null, wide = false } = {}) {
  const input = html("input", { type: "text", name, id: `in-${name}`, autocomplete: "off", spellcheck: "false", placeholder, "aria-describedby": `wrong-${name}`, class: wide ? "wide" : null });
  input.addEventListener("input", () => { state[name] = input.value; refresh(); });
  return html("div", { class: "field" }, html("label", { for: `in-${name}` }, words), input, html("p", { class: "wrong", id: `wrong-${name}` }));
}

function selection(name, words, options) {
  const select = html("select", { name, id: `in-${name}` }, ...options.map(([value, shown]) => html("option", { value }, shown)));
  select.addEventListener("change", () => change(name, select.value));
  return html("div", { class: "field" }, html("label", { for: `in-${name}` }, words), select);
}

// Another family brings its own sizes, another kind of budget its own amount; what was typed elsewhere stays.
function change(name, value) {
  if (name === "family") {
    const { kind, rule, multiple, tokens, theme } = state;
    state = { ...defaults(value), kind, rule, multiple, tokens, theme };
    if (kind !== "params") state.budget = KINDS[kind][1];
    prepareForm();
  } else {
    if (name === "kind") state.budget = value === "params" ? defaults(state.family).budget : KINDS[value][1];
    state[name] = value;
  }
  refresh();
}

function prepareForm() {
  const form = document.getElementById("choices");
  const own = DATA.families[state.family].map(({ name, type }) => (type === "bool" ? tick(name, WORDS[name]) : field(name, WORDS[name] ?? name, { placeholder: EMPTY[name] ?? null })));
  form.replaceChildren(
    html("fieldset", {}, html("legend", {}, "Budget"),
      selection("family", "Family", CHOICES.family.map((name) => [name, name])), selection("kind", "Held equal", Object.entries(KINDS).map(([name, [words]]) => [name, words])),
      field("budget", "Budget"), field("depths", "Depths")),
    html("fieldset", {}, html("legend", {}, "Sizes"), ...own),
    html("fieldset", {}, html("legend", {}, "Matching"),
      selection("rule", "Width", [["largest", "largest within the budget"], ["nearest", "nearest the budget"]]), field("multiple", "Width is a multiple of"), field("tokens", "Tokens a parameter")),
    themeButton(),
  );
}

function tick(name, words) {
  const input = html("input", { type: "checkbox", name, id: `in-${name}` });
  input.addEventListener("change", () => { state[name] = String(input.checked); refresh(); });
  return html("div", { class: "field" }, html("label", { class: "chip", for: `in-${name}` }, input, words));
}

function showForm() {
  const wrong = found.wrong ?? {};
  for (const input of document.querySelectorAll("#choices [name]")) {
    if (input.type === "checkbox") input.checked = state[input.name] === "true";
    else if (input.value !== state[input.name]) input.value = state[input.name];
    const said = document.getElementById(`wrong-${input.name}`);
    if (!said) continue;
    input.setAttribute("aria-invalid", input.name in wrong);
    said.textContent = input.name in wrong ? `expected ${wrong[input.name]}` : "";
  }
}

// ---- working it out ----

function refresh() {
  const next = workOut();
  // while something cannot be read, the last answer stays, dimmed
  document.body.classList.toggle("stale", Object.keys(next.wrong).length > 0);
  if (!Object.keys(next.wrong).length) {
    found = next;
    showAnswer();
    showChosen();
    showLaws();
    showModels();
    draw();
  } else found = { ...found, wrong: next.wrong };
  showForm();
  showTheme();
  writeAddress();
}

function draw() {
  for (const [name, panel] of Object.entries(DRAWN)) {
    const host = document.querySelector(`#${name} .plot`);
    if (found.shapes.length) panel(host);
    else nothing(host, "No shape meets this budget.");
    tabStops(host);
  }
}

// ---- choosing ----

function choose(depth) {
  state.depth = state.depth === depth ? "" : depth;
  const focused = document.activeElement?.closest?.("[data-shape]");
  const inside = focused?.closest("section")?.id;
  refresh();
  if (inside) document.querySelector(`#${inside} ${inside === "answer" ? ".chosen button" : "svg .chosen"}`)?.focus({ preventScroll: true });
}

function onKey(event) {
  const mark = event.target.closest?.("svg [tabindex]");
  if (!mark) return undefined;
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    return mark.dataset.shape ? choose(mark.dataset.shape) : undefined;
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
  prepareForm();
  return refresh();
}

function start() {
  readAddress();
  prepareForm();
  prepareTip((target) => target.dataset.tip ?? "");
  document.getElementById("choices").addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("click", (event) => {
    const target = marked(event);
    if (target?.dataset.shape) choose(target.dataset.shape);
    else if (target) showTip(target.dataset.tip, event.clientX, event.clientY);
  });
  document.addEventListener("keydown", onKey);
  addEventListener("hashchange", onHash);
  let drawnWidth = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === drawnWidth) return;
    drawnWidth = innerWidth;
    draw();
  });
  matchMedia("print").addEventListener("change", draw);
  refresh();
  goToFirst(part);
}

start();
