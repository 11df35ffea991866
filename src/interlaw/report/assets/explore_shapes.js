// Exact counts of every family and shapes of equal budget: the closed forms of interlaw.shapes, number for number.
"use strict";

const gcd = (a, b) => (b ? gcd(b, a % b) : a);
const lcm = (a, b) => (a / gcd(a, b)) * b;

// Each family: the sizes that follow from its settings, its counts, and what its width is a multiple of.
const decoder = (s) => ({ ...s, num_heads: s.width / s.head_dim });
const decoderFlops = (s, matrices) => 3 * (2 * (s.depth * matrices + s.width * s.vocab_size) + s.depth * 2 * s.width * (s.context + 1));

function completeLlama(given) {
  const s = decoder(given);
  return {
    ...s,
    num_kv_heads: s.num_kv_heads || Math.max(1, Math.floor(s.width / s.head_dim)),
    d_ff: s.d_ff || Math.max(1, Math.ceil((s.d_ff_ratio * s.width) / s.d_ff_multiple_of - 1e-9)) * s.d_ff_multiple_of,
  };
}

const kvWidth = (s) => s.num_kv_heads * s.head_dim;
const llamaMatrices = (s) => 2 * s.width * (s.width + kvWidth(s)) + 3 * s.width * s.d_ff;

const llamaLike = (biases) => ({
  step: (given) => given.head_dim * (given.num_kv_heads || 1),
  complete: completeLlama,
  inner: (s) => s.depth * (llamaMatrices(s) + biases(s) + 2 * s.width) + s.width,
  total: (s, inner) => inner + s.vocab_size * s.width * (s.tied ? 1 : 2),
  flops: (s) => decoderFlops(s, llamaMatrices(s)),
  cache: (s) => 4 * s.depth * kvWidth(s),
});

const FAMILIES = {
  gpt: {
    step: (given) => given.head_dim,
    complete: (given) => ({ ...decoder(given), d_ff: given.d_ff || 4 * given.width }),
    inner: (s) => s.depth * (4 * s.width ** 2 + 2 * s.width * s.d_ff + 4 * s.width) + 2 * s.width,
    total: (s, inner) => inner + s.vocab_size * s.width * (s.tied ? 1 : 2) + s.context * s.width,
    flops: (s) => decoderFlops(s, 4 * s.width ** 2 + 2 * s.width * s.d_ff),
    cache: (s) => 4 * s.depth * s.width,
  },
  llama: llamaLike(() => 0),
  qwen2: llamaLike((s) => s.width + 2 * kvWidth(s)),
  mlp: {
    inner: (s) => 2 * s.depth * (s.width ** 2 + s.width),
    total: (s, inner) => inner + (s.input_size + 1) * s.width + (s.width + 1) * s.output_size,
    flops: (s) => 6 * (2 * s.depth * s.width ** 2 + (s.input_size + s.output_size) * s.width),
  },
  cnn: {
    inner: (s) => s.depth * (18 * s.width ** 2 + 6 * s.width),
    total: (s, inner) => inner + 9 * (s.channels + 1) * s.width + 3 * s.width + 9 * s.width * s.channels + s.channels,
    flops: (s) => Math.floor((6 * 9 * s.width * (2 * s.depth * s.width + 2 * s.channels + 1) * s.image_size ** 2) / s.supervised),
  },
  gru: {
    inner: (s) => 3 * s.width * (s.input_size + s.width + 2) + 3 * (s.depth - 1) * s.width * (2 * s.width + 2),
    total: (s, inner) => inner + (s.width + 1) * s.output_size,
    flops: (s) => 6 * (s.time * (3 * s.width * (s.input_size + s.width) + 6 * (s.depth - 1) * s.width ** 2) + s.width * s.output_size),
  },
  bottleneck: {
    inner: (s) => (s.width + 1) * s.input_size,
    total: (s, inner) => inner,
    flops: (s) => 12 * s.width * s.input_size,
    deepest: 1,
  },
};

// One shape with its counts, under the names that `Shape.to_dict` gives them.
function makeShape(family, depth, width, settings) {
  const form = FAMILIES[family];
  const sizes = { family, ...settings, depth, width };
  const s = form.complete ? form.complete(sizes) : sizes;
  const inner = form.inner(s);
  return { ...s, params: form.total(s, inner), params_non_embedding: inner, flops_per_token: form.flops(s), ratio: depth / width, cache: form.cache ? form.cache(s) : null };
}

const spent = (shape, budget) => (budget.kind === "train_flops" ? shape.flops_per_token * shape.params * budget.tokens : shape[budget.kind]);
const missOf = (shape, budget) => spent(shape, budget) / budget.amount - 1;

// What every width is a multiple of.
const stepOf = (family, settings, multiple) => lcm(multiple, FAMILIES[family].step ? FAMILIES[family].step(settings) : 1);

// The width, a multiple of the step, whose shape meets the budget; null where even the narrowest does not fit.
function matchWidth(family, depth, settings, budget, { rule, multiple }) {
  const form = FAMILIES[family];
  const step = stepOf(family, settings, multiple);
  const at = (times) => makeShape(family, depth, times * step, settings);
  if (form.deepest && depth > form.deepest) return null;
  if (spent(at(1), budget) > budget.amount * (rule === "nearest" ? 1 + DATA.nearest_tolerance : 1)) return null;
  let [low, high] = [1, 2];
  while (spent(at(high), budget) <= budget.amount) [low, high] = [high, 2 * high];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (spent(at(middle), budget) <= budget.amount) low = middle;
    else high = middle;
  }
  const [below, above] = [at(low), at(high)];
  const miss = (shape) => Math.abs(missOf(shape, budget));
  return rule === "nearest" && miss(above) < miss(below) ? above : below;
}

// ---- what people write ----

const UNITS = { "": 1, k: 1e3, m: 1e6, b: 1e9, g: 1e9, t: 1e12 };

// "350M" as a number; null where it is no size.
function parseSize(words) {
  const found = /^(\d*\.?\d+(?:e[+-]?\d+)?)\s*([kmbgt]?)$/.exec(words.trim().toLowerCase().replaceAll(/[_,]/g, ""));
  const value = found ? Math.round(Number((Number(found[1]) * UNITS[found[2]]).toPrecision(15))) : NaN;
  return value >= 1 && value <= 1e27 ? value : null;
}

// "1-24", "2-16:2" or "1,2,4" as depths in increasing order; null where it is none of these, or too many.
function parseDepths(words) {
  const depths = new Set();
  for (const part of words.split(",")) {
    const found = /^(\d+)(?:-(\d+)(?::(\d+))?)?$/.exec(part.trim());
    if (!found) return null;
    const [first, last, step] = [Number(found[1]), Number(found[2] ?? found[1]), Number(found[3] ?? 1)];
    if (first < 1 || last < first || step < 1 || (last - first) / step > MOST_DEPTHS) return null;
    for (let depth = first; depth <= last; depth += step) depths.add(depth);
  }
  return depths.size <= MOST_DEPTHS ? [...depths].sort((a, b) => a - b) : null;
}

const MOST_DEPTHS = 200;

// ---- Hugging Face ----

const DECODERS = {
  gpt: (s) => ({
    architectures: ["OPTForCausalLM"],
    model_type: "opt",
    vocab_size: s.vocab_size,
    hidden_size: s.width,
    word_embed_proj_dim: s.width,
    ffn_dim: s.d_ff,
    num_hidden_layers: s.depth,
    num_attention_heads: s.num_heads,
    max_position_embeddings: s.context - 2,
    activation_function: "gelu",
    do_layer_norm_before: true,
    enable_bias: false,
    layer_norm_elementwise_affine: true,
    dropout: 0,
    tie_word_embeddings: s.tied,
  }),
  llama: (s) => ({ ...llamaConfig(s, "LlamaForCausalLM"), attention_bias: false, mlp_bias: false }),
  qwen2: (s) => llamaConfig(s, "Qwen2ForCausalLM"),
};

const llamaConfig = (s, architecture) => ({
  architectures: [architecture],
  model_type: s.family,
  vocab_size: s.vocab_size,
  hidden_size: s.width,
  intermediate_size: s.d_ff,
  num_hidden_layers: s.depth,
  num_attention_heads: s.num_heads,
  num_key_value_heads: s.num_kv_heads,
  head_dim: s.head_dim,
  hidden_act: "silu",
  max_position_embeddings: s.context,
  tie_word_embeddings: s.tied,
});

// What `config.json` says; null for a family that Hugging Face does not build.
const hfConfig = (shape) => (shape.family in DECODERS && !(shape.family === "gpt" && shape.context <= 2) ? DECODERS[shape.family](shape) : null);
