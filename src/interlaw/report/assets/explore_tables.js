// The explorer's words and tables: the answer, the shapes, the chosen one with its configuration, laws and models.
"use strict";

// Rows of cells as a table; a cell is a text or an element. `attributes` of each row are optional.
function tableOf(caption, headers, rows) {
  const head = html("tr", {}, ...headers.map((words) => html("th", { scope: "col" }, words)));
  const body = rows.map(({ cells: [first, ...rest], attributes = {} }) => html("tr", attributes, html("th", { scope: "row" }, first), ...rest.map((cell) => html("td", {}, cell))));
  return html("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    html("table", {}, html("caption", { class: "quiet" }, caption), html("thead", {}, head), html("tbody", {}, ...body)));
}

const between = (low, high, words = number) => `${words(low, 3)} to ${words(high, 3)}`;
const share = (value) => `${number(100 * value, 2)}%`;
const place = (name) => document.querySelector(`#${name} .place`);
const where = (ratio) => (!found.interval ? "" : ratio < found.interval.low ? "below (shallower)" : ratio > found.interval.high ? "above (deeper)" : "inside");
const bytes = (value) => (value >= 2 ** 30 ? `${number(value / 2 ** 30, 3)} GiB` : value >= 2 ** 20 ? `${number(value / 2 ** 20, 3)} MiB` : value >= 2 ** 10 ? `${number(value / 2 ** 10, 3)} KiB` : `${value} B`);

// ---- the answer ----

const CLOSE = 0.03; // a budget missed by more is said beside the shape

function showAnswer() {
  const { shapes, without, params, interval, good } = found;
  const sentence = interval
    ? `${sizeText(params)} ${state.family}: R = depth / width = ${between(interval.low, interval.high)}${goodText(good)}.`
    : `${state.family}: ${shapes.length ? "equal-budget shapes. Nothing is published about this family's best ratio" : "no shape meets this budget"}.`;
  const notes = answerNotes(found);
  if (without.length && shapes.length) notes.push(`Depths without a width that meets the budget: ${ranges(without)}.`);
  place("answer").replaceChildren(html("p", { class: "lead", id: "lead" }, sentence), ...notes.map((note) => html("p", { class: "quiet" }, note)), shapes.length ? shapeTable() : "");
}

const goodText = (good) => (good.length ? `, that is ${span(good.map((shape) => shape.depth))} layers, width ${span(good.map((shape) => shape.width))}` : "; no shape of this budget lies in it");

function answerNotes({ interval, missing, narrowest }) {
  const notes = interval ? [`Where this comes from: ${interval.statement}${interval.extrapolated ? "; extrapolated" : ""}.`] : [];
  if (interval && interval.high / interval.low > 16) notes.push("The interval is so wide that it hardly constrains the shape.");
  if (missing.length) notes.push(`Depths in the interval that your list leaves out: ${ranges(missing.map((shape) => shape.depth))}.`);
  if (narrowest) notes.push(whyNone(narrowest));
  return notes;
}

// Why no shape meets the budget: what already the narrowest one takes, and the part that the vocabulary has in it.
function whyNone(shape) {
  const { budget, isText } = found;
  const table = isText ? shape.vocab_size * shape.width * (shape.tied ? 1 : 2) : 0;
  const least = `the narrowest shape, one layer of width ${number(shape.width)}, takes ${sizeText(spent(shape, budget))}`;
  if (spent(shape, budget) <= budget.amount * (1 + DATA.farthest)) return "No shape of the depths listed meets this budget: list shallower ones.";
  if (budget.kind !== "params" || table < budget.amount) return `No shape meets this budget: ${least}, more than ${sizeText(budget.amount)}.`;
  const head = shape.tied ? "the token table" : "the token table with its output head";
  return `No shape meets this budget: ${head} alone takes ${sizeText(table)} parameters at the least width, ${number(shape.width)}, more than ${sizeText(budget.amount)}. A smaller vocabulary${shape.tied ? "" : ", a tied head"} or narrower heads would leave room.`;
}

const span = (values) => (min(...values) === max(...values) ? String(values[0]) : `${min(...values)} to ${max(...values)}`);

// 1,2,3,7 as "1-3, 7".
function ranges(values) {
  const parts = [];
  for (const value of values) {
    if (parts.length && value === parts.at(-1)[1] + 1) parts.at(-1)[1] = value;
    else parts.push([value, value]);
  }
  return parts.map(([low, high]) => (low === high ? low : `${low}-${high}`)).join(", ");
}

function shapeTable() {
  const { shapes, interval, params, budget, tokens, chosen, isText } = found;
  const headers = ["Depth", "Width", "R", ...(interval ? ["Interval", "Predicted loss above the best"] : []), ...(isText ? ["Heads", "d_ff"] : []), "Parameters", "Budget missed by", "Without embeddings", isText ? "FLOPs/token" : "FLOPs/sample", "FLOPs of the run", ...(isText ? ["KV cache/token"] : [])];
  const rows = shapes.map((shape) => {
    const cost = interval ? penalty(shape.ratio, params, interval) : null;
    const heads = shape.num_kv_heads && shape.num_kv_heads !== shape.num_heads ? `${shape.num_heads} / ${shape.num_kv_heads} kv` : shape.num_heads;
    const button = html("button", { type: "button", "aria-pressed": shape === chosen }, String(shape.depth));
    return {
      attributes: { "data-shape": shape.depth, class: shape === chosen ? "chosen" : null },
      cells: [button, number(shape.width), number(shape.ratio), ...(cost ? [where(shape.ratio), `${share(cost.value)} (${between(cost.low, cost.high, share)})`] : []), ...(isText ? [String(heads), number(shape.d_ff)] : []), number(shape.params), signed(missOf(shape, budget)), number(shape.params_non_embedding), number(shape.flops_per_token), `${Number((shape.flops_per_token * shape.params * tokens).toPrecision(3)).toExponential().replace("e+", "e")}`, ...(isText ? [bytes(shape.cache)] : [])],
    };
  });
  return tableOf(`One shape a depth; FLOPs of the run: ${number(tokens)} ${isText ? "tokens" : "samples"} a parameter`, headers, rows);
}

const signed = (value) => `${value < 0 ? "−" : "+"}${share(abs(value))}`;

// ---- the chosen shape ----

function showChosen() {
  const { chosen, interval, params, isText, budget } = found;
  if (!chosen) return place("chosen").replaceChildren(html("p", { class: "quiet" }, "No shape meets this budget."));
  const facts = [["Shape", shapeName(chosen)], ["Parameters", `${number(chosen.params)}, of them ${number(chosen.params_non_embedding)} without embeddings`]];
  const miss = missOf(chosen, budget);
  if (abs(miss) > CLOSE) facts.push(["Budget", `missed by ${signed(miss)}: widths are multiples of ${number(found.step)}${state.rule === "largest" ? ", and none above the budget is taken" : ""}; another depth${isText ? " or narrower heads" : ""} may come nearer`]);
  if (interval) {
    const cost = penalty(chosen.ratio, params, interval);
    facts.push(["Interval", `${where(chosen.ratio)} (R = ${between(interval.low, interval.high)})`], ["Predicted loss", `${share(cost.value)} above the best shape of the budget (${between(cost.low, cost.high, share)})`]);
  }
  if (isText) {
    facts.push(["KV cache", `${bytes(chosen.cache)} a token, ${bytes(chosen.cache * chosen.context)} at ${number(chosen.context)} tokens, at two bytes an entry`]);
    facts.push(["Most like it", nearestModels(chosen, 3).map((model) => `${model.name} (${sizeText(model.params)}, R = ${number(model.ratio, 3)}${model.score === null ? "" : `, MMLU-Pro ${number(model.score, 3)}%`})`).join("; ")]);
  }
  const list = html("dl", {}, ...facts.flatMap(([name, value]) => [html("dt", {}, name), html("dd", {}, value)]));
  const config = hfConfig(chosen);
  const written = config ? copied("config", "Hugging Face config.json", `${JSON.stringify(config, null, 2)}\n`, "config.json") : [html("p", { class: "quiet" }, "Hugging Face has no model of this family.")];
  const parts = [list, ...written, ...copied("python", "The same in Python", pythonOf(chosen))];
  return place("chosen").replaceChildren(...parts);
}

function pythonOf(shape) {
  const settings = DATA.families[state.family].filter(({ name }) => shape[name] !== 0).map(({ name, type }) => `${name}=${type === "bool" ? (shape[name] ? "True" : "False") : shape[name]}`);
  return `from interlaw.shapes import make_shape\n\nshape = make_shape("${state.family}", depth=${shape.depth}, width=${shape.width}, ${settings.join(", ")})\nassert shape.params == ${shape.params}\n`;
}

// A text with buttons to copy it and, where it has a file's name, to save it.
function copied(id, title, words, file = null) {
  const said = html("output", { class: "quiet", for: id });
  const copy = html("button", { type: "button", id: `copy-${id}` }, "Copy");
  copy.addEventListener("click", async () => {
    said.textContent = (await written(words, id)) ? "copied" : "press Ctrl-C to copy";
  });
  const bar = html("div", { class: "table-bar" }, copy, said);
  if (file) {
    const save = html("button", { type: "button" }, `Save ${file}`);
    save.addEventListener("click", () => saveFile(file, words));
    copy.after(save);
  }
  return [html("h3", {}, title), html("pre", { id, tabindex: 0, "aria-label": title }, words), bar];
}

// To the clipboard; where the browser refuses, the text is selected instead.
async function written(words, id) {
  try {
    await navigator.clipboard.writeText(words);
    return true;
  } catch {
    getSelection().selectAllChildren(document.getElementById(id));
    return false;
  }
}

function saveFile(name, words) {
  const address = URL.createObjectURL(new Blob([words], { type: "application/json" }));
  html("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

// ---- what others published ----

const TRUST = { P: "primary source", D: "derived from it", S: "read about it" };

function showLaws() {
  const { params, chosen, isText } = found;
  if (!isText) return place("laws").replaceChildren(html("p", { class: "quiet" }, "Published laws are about language models."));
  const rows = opinions(params).map((one) => ({
    cells: [
      one.law.name,
      one.ratio === null ? "–" : number(one.ratio, 3),
      one.low === null ? "–" : between(one.low, one.high),
      `${sizeText(one.law.params_low)} to ${sizeText(one.law.params_high)}${one.covered ? "" : " (not this size)"}`,
      chosen ? stance(one, chosen.ratio) : "–",
      TRUST[one.law.trust],
      one.law.source,
      one.law.statement,
    ],
  }));
  return place("laws").replaceChildren(tableOf(`At ${sizeText(params)} parameters, from shallow to deep`, ["Law", "R*", "Good R", "Speaks about", "Of the chosen shape", "Trust", "Source", "Statement"], rows));
}

function showModels() {
  const { params, isText } = found;
  if (!isText) return place("models").replaceChildren(html("p", { class: "quiet" }, "The published models are language models."));
  const sorted = DATA.models.slice().sort((a, b) => abs(log(a.params / params)) - abs(log(b.params / params)));
  const rows = sorted.map((model) => ({
    attributes: { class: similar(model, params) ? "near-row" : null },
    cells: [model.name, sizeText(model.params), `${model.depth} x ${model.width}`, number(model.ratio, 3), where(model.ratio), model.score === null ? "–" : `${number(model.score, 3)}%${model.at_chance ? " (guessing)" : ""}`, model.tokens === null ? "–" : sizeText(model.tokens)],
  }));
  return place("models").replaceChildren(tableOf(`${DATA.models.length} models, those nearest ${sizeText(params)} first; MMLU-Pro: base models, 5-shot log-likelihood`, ["Model", "Parameters", "Shape", "R", "Interval", "MMLU-Pro", "Training tokens"], rows));
}
