// What the reader has typed and chosen. It lives in the address, so that a link shows the same again.
"use strict";

const DATA = JSON.parse(document.getElementById("data").textContent);
const KINDS = {
  params: ["parameters, in all", "350M"],
  params_non_embedding: ["parameters without embeddings", "300M"],
  flops_per_token: ["training FLOPs a token", "2B"],
  train_flops: ["training FLOPs of the whole run", "1e19"],
};
// What a family starts with: sizes that people use; everything else is the package's own default.
const START = {
  gpt: { budget: "3M", depths: "1-24", head_dim: 4 },
  llama: { budget: "350M", depths: "4-48" },
  qwen2: { budget: "500M", depths: "4-48" },
  mlp: { budget: "300k", depths: "2-16" },
  cnn: { budget: "3M", depths: "2-16" },
  gru: { budget: "300k", depths: "1-8" },
  bottleneck: { budget: "2k", depths: "1" },
};
const CHOICES = { family: Object.keys(DATA.families), kind: Object.keys(KINDS), rule: ["largest", "nearest"], theme: ["", "light", "dark"] };

function defaults(family) {
  const { budget, depths, ...sizes } = START[family];
  const settings = Object.fromEntries(DATA.families[family].map(({ name, default: value }) => [name, value === 0 ? "" : fraction(value)]));
  const named = Object.fromEntries(Object.entries(sizes).map(([name, value]) => [name, String(value)]));
  return { family, kind: "params", budget, depths, rule: "nearest", multiple: "1", tokens: String(DATA.tokens_per_param), depth: "", theme: "", ...settings, ...named };
}

// 2.6666666666666665 as "8/3", anything else as it is; and back.
const fraction = (value) => (!Number.isInteger(value) && Number.isInteger(3 * value) ? `${3 * value}/3` : String(value));

function parseNumber(words) {
  const [, top, bottom] = /^\s*(\d*\.?\d+)(?:\s*\/\s*(\d*\.?\d+))?\s*$/.exec(words) ?? [];
  const value = Number(top) / Number(bottom ?? 1);
  return value > 0 && Number.isFinite(value) ? value : null;
}

const DEEPEST = 1000;

let state = defaults("llama");
let part = "";

function readAddress() {
  part = partOf(location.hash);
  const given = new URLSearchParams(location.hash.slice(1));
  const family = CHOICES.family.includes(given.get("family")) ? given.get("family") : "llama";
  state = defaults(family);
  for (const name of Object.keys(state)) {
    const value = given.get(name);
    if (name !== "family" && value !== null && (!CHOICES[name] || CHOICES[name].includes(value))) state[name] = value;
  }
}

function writeAddress() {
  const usual = defaults(state.family);
  const changed = Object.entries(state).filter(([name, value]) => value !== usual[name] || (name === "family" && value !== "llama"));
  writeHash(addressOf(part, changed));
}

// ---- from words to numbers ----

const isWhole = (words, least = 1) => /^\d+$/.test(words.trim()) && Number(words) >= least && Number(words) <= 1e9;

// The family's settings as numbers and switches, and the name of every field that cannot be read.
function readChoices() {
  const wrong = {};
  const settings = {};
  for (const { name, type, default: value } of DATA.families[state.family]) {
    const words = state[name];
    if (type === "bool") settings[name] = words === "true";
    else if (words.trim() === "" && value === 0) settings[name] = 0;
    else {
      settings[name] = type === "float" ? parseNumber(words) : isWhole(words) ? Number(words) : null;
      if (settings[name] === null) wrong[name] = type === "float" ? "a positive number" : "a whole number of at least 1";
    }
  }
  const read = (name, value, expected) => {
    if (value === null) wrong[name] = expected;
    return value;
  };
  const amount = read("budget", parseSize(state.budget), "a size such as 300k, 350M or 1.2B");
  const depths = read("depths", parseDepths(state.depths), `depths such as 1-24, 2-16:2 or 1,2,4; at most ${MOST_DEPTHS}`);
  const multiple = read("multiple", isWhole(state.multiple) ? Number(state.multiple) : null, "a whole number of at least 1");
  const tokens = read("tokens", parseNumber(state.tokens), "a positive number");
  return { wrong, settings, depths, multiple, tokens, budget: { kind: state.kind, amount, tokens } };
}

// Everything that follows from the choices; null while one of them cannot be read.
function workOut() {
  const { wrong, settings, depths, multiple, tokens, budget } = readChoices();
  if (Object.keys(wrong).length) return { wrong };
  const at = (depth) => {
    const shape = matchWidth(state.family, depth, settings, budget, { rule: state.rule, multiple });
    return shape !== null && isBuilt(shape) && missOf(shape, budget) <= DATA.farthest ? shape : null;
  };
  const asked = depths.map((depth) => [depth, at(depth)]);
  const listed = asked.map(([, shape]) => shape).filter((shape) => shape !== null);
  const without = asked.filter(([, shape]) => shape === null).map(([depth]) => depth);
  const params = budget.kind === "params" ? budget.amount : middling(listed)?.params ?? null;
  const isText = state.family in DECODERS;
  const interval = params !== null && (isText || DATA.fit) && params <= 1e13 ? efficientInterval(params) : null;
  const good = interval ? within(interval, at) : [];
  const beyond = good.filter((shape) => !depths.includes(shape.depth));
  // depths that nobody has typed are a start: the list goes on until it spans the interval
  const isStart = state.depths === START[state.family].depths;
  const shapes = isStart ? [...listed, ...beyond].sort((a, b) => a.depth - b.depth) : listed;
  const step = stepOf(state.family, settings, multiple);
  const narrowest = shapes.length ? null : makeShape(state.family, 1, step, settings);
  return { wrong, budget, tokens, shapes, good, missing: isStart ? [] : beyond, without, step, narrowest, params, isText, interval, chosen: chosenOf(shapes, interval) };
}

// Every shape of the budget inside the interval, whichever depths are listed: R grows with the depth.
function within(interval, at) {
  const good = [];
  for (let depth = 1; depth <= DEEPEST; depth += 1) {
    const shape = at(depth);
    if (shape !== null && shape.ratio > interval.high) break;
    if (shape !== null && shape.ratio >= interval.low) good.push(shape);
  }
  return good;
}

// Query heads come in whole groups; a setting may leave a shape without.
const isBuilt = (shape) => !("num_kv_heads" in shape) || shape.num_heads % shape.num_kv_heads === 0;
const middling = (shapes) => shapes.reduce((best, shape) => (!best || abs(log(shape.ratio / DATA.middling)) < abs(log(best.ratio / DATA.middling)) ? shape : best), null);

// The shape that was clicked; else the one nearest the interval's centre, or the middle one.
function chosenOf(shapes, interval) {
  const clicked = shapes.find((shape) => String(shape.depth) === state.depth);
  if (clicked || !shapes.length) return clicked ?? null;
  if (!interval) return shapes[Math.floor(shapes.length / 2)];
  return shapes.reduce((best, shape) => (abs(log(shape.ratio / interval.centre)) < abs(log(best.ratio / interval.centre)) ? shape : best));
}
