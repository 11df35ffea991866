// The explorer's drawings: predicted cost against R, the budget among published laws and models, MMLU-Pro against R.
"use strict";

const shapeName = (shape) => `${shape.depth} layers x ${shape.width}, R = ${number(shape.ratio, 3)}`;
const modelName = (model) => `${model.name}\n${model.depth} x ${model.width}, R = ${number(model.ratio, 3)}, ${sizeText(model.params)} parameters${model.score === null ? "" : `\nMMLU-Pro ${number(model.score, 3)}%${model.at_chance ? " (guessing)" : ""}`}`;

// A mark of one of the shapes: pointed at, focused, chosen.
function shapeMark(element, shape, name) {
  element.dataset.shape = shape.depth;
  element.dataset.tip = name;
  element.classList.add("active");
  const chosen = found.chosen === shape;
  element.classList.toggle("chosen", chosen);
  return build(element, { tabindex: chosen ? 0 : -1, role: "button", "aria-pressed": chosen, "aria-label": name.replaceAll("\n", ", ") }, []);
}

function nothing(host, words) {
  host.replaceChildren(html("p", { class: "quiet" }, words));
}

// ---- the predicted cost ----

function drawCost(host) {
  const { shapes, interval, params } = found;
  if (!interval) return nothing(host, "Nothing is published about this family's best ratio, and no fit was given.");
  const ratios = [...shapes.map((shape) => shape.ratio), interval.low, interval.high];
  const x = { ...range(ratios, { log: true }), label: "R = depth / width" };
  const at = Array.from({ length: 81 }, (_, i) => exp(log(x.low) + (i / 80) * log(x.high / x.low)));
  const costs = at.map((ratio) => penalty(ratio, params, interval));
  const top = max(0.02, min(1, 1.6 * max(...costs.map((cost) => cost.value))));
  const plot = frame(host, { title: "Predicted loss against depth / width", x, y: { low: 0, high: top, label: "loss above the best", format: percent }, height: 340 });
  const { root, inside, X, Y, box } = plot;
  const [left, right] = [max(X(interval.low), box.left), min(X(interval.high), box.right)];
  inside.append(svg("rect", { x: left, y: box.top, width: max(right - left, 1.5), height: box.bottom - box.top, class: "good" }));
  inside.append(label((left + right) / 2, box.top + 13, "recommended range", { class: "good-text", "text-anchor": "middle" }));
  inside.append(path([...costs.map((cost, i) => [X(at[i]), Y(min(cost.high, 3 * top))]), ...costs.map((cost, i) => [X(at[i]), Y(cost.low)]).reverse()], { class: "band" }));
  inside.append(path(costs.map((cost, i) => [X(at[i]), Y(cost.value)]), { class: "fit" }));
  for (const one of opinions(params).filter(({ ratio }) => ratio >= x.low && ratio <= x.high)) {
    const tick = svg("path", { d: "M0,0V-10", transform: `translate(${X(one.ratio)},${box.bottom})`, class: one.covered ? "law-tick" : "law-tick far" });
    root.append(told(tick, `${one.law.name}: R* = ${number(one.ratio, 3)}${one.covered ? "" : " (stated for other sizes)"}\n${one.law.source}`));
  }
  drawDots(root, X, Y, top);
  return undefined;
}

function drawDots(root, X, Y, top) {
  let labelled = Infinity;
  for (const shape of found.shapes) {
    const cost = penalty(shape.ratio, found.params, found.interval);
    const [x, y] = [X(shape.ratio), Y(min(cost.value, top))];
    root.append(shapeMark(marker(cost.value > top ? 2 : 0, x, y, 5, { class: "mean" }), shape, `${shapeName(shape)}\n${number(shape.params)} parameters\n${share(cost.value)} above the best (${share(cost.low)} to ${share(cost.high)})`));
    if (abs(x - labelled) < 16 && found.chosen !== shape) continue;
    labelled = x;
    root.append(label(x, y - 9, shape.depth, { class: "depth", "text-anchor": "middle" }));
  }
}

// ---- the budget among published laws and models ----

function shade(score) {
  const scores = DATA.models.map((model) => model.score).filter((each) => each !== null);
  return `${100 - (100 * (score - min(...scores))) / (max(...scores) - min(...scores))}%`;
}

function modelMark(model, x, y, radius, name = "heat") {
  const dot = svg("circle", { cx: x, cy: y, r: radius, class: model.score === null ? "unscored" : name });
  if (model.score !== null) dot.style.setProperty("--t", shade(model.score));
  return told(dot, modelName(model));
}

function drawSizes(host) {
  const { interval, chosen, params, isText } = found;
  if (!isText) return nothing(host, "Published laws and models are about language models.");
  const lines = DATA.laws.map((law) => ({ law, points: lawLine(law) })).filter(({ points }) => points.length);
  const narrow = host.clientWidth < 560;
  const plot = frame(host, {
    title: "Depth / width against size: published laws and models",
    x: { ...range([params, ...DATA.models.map((model) => model.params)], { log: true, margin: 0.04 }), label: "N, parameters", format: sizeText },
    y: { ...range([interval.low, interval.high, ...DATA.models.map((model) => model.ratio), ...lines.flatMap(({ points }) => points.map(([, ratio]) => ratio))], { log: true }), label: "R = depth / width" },
    height: 430,
    right: narrow ? 26 : 200,
  });
  const { root, inside, X, Y, box } = plot;
  for (const model of DATA.models) root.append(modelMark(model, X(model.params), Y(model.ratio), 4));
  const shown = lines.map(({ law, points }) => ({ law, line: points.map(([size, ratio]) => [X(size), Y(ratio)]) })).filter(({ line }) => line.some(([x]) => x >= box.left && x <= box.right));
  nameLines(plot, shown.map(({ law, line: drawn }) => drawLawOf(plot, law, drawn)), narrow);
  const x = X(params);
  inside.append(svg("rect", { x: x - 6, y: Y(interval.high), width: 12, height: Y(interval.low) - Y(interval.high), class: "good strong" }));
  if (chosen) root.append(marker(3, x, Y(chosen.ratio), 6, { class: "star" }), label(x + 11, Y(chosen.ratio) + 4, "chosen", { class: "star-text" }));
  return undefined;
}

function lawLine(law) {
  if (law.kind === "flat" || law.kind === "slope") return [];
  if (law.points.length > 1) return law.points;
  const sizes = Array.from({ length: 41 }, (_, i) => law.params_low * (law.params_high / law.params_low) ** (i / 40));
  return sizes.map((size) => [size, lawRatio(law, size)]);
}

function drawLawOf({ inside, box }, law, line) {
  const words = `${law.name}\n${law.source}\n${law.statement}`;
  inside.append(told(path(line, { class: "published" }), words));
  return { name: law.name, words, end: line.filter(([x]) => x <= box.right + 1).at(-1) ?? line[0] };
}

// ---- MMLU-Pro against R ----

function drawScores(host) {
  const { interval, chosen, params, isText } = found;
  if (!isText) return nothing(host, "MMLU-Pro is about language models.");
  const scored = DATA.models.filter((model) => model.score !== null);
  const plot = frame(host, {
    title: "MMLU-Pro against depth / width",
    x: { ...range([...scored.map((model) => model.ratio), interval.low, interval.high], { log: true }), label: "R = depth / width" },
    y: { ...range(scored.map((model) => model.score)), label: "MMLU-Pro, %" },
    height: 360,
  });
  const { root, inside, X, Y, box } = plot;
  inside.append(svg("rect", { x: X(interval.low), y: box.top, width: X(interval.high) - X(interval.low), height: box.bottom - box.top, class: "good" }));
  root.append(line(box.left, Y(DATA.chance), box.right, Y(DATA.chance), "chance-line"));
  for (const near of [false, true]) {
    for (const model of scored.filter((each) => similar(each, params) === near)) {
      const dot = svg("circle", { cx: X(model.ratio), cy: Y(model.score), r: near ? 5.5 : 3.5, class: near ? "near" : "model" });
      root.append(told(dot, modelName(model)));
    }
  }
  const fair = scored.filter((each) => similar(each, params)).length;
  root.append(label(box.left + 6, box.top + 12, `${fair} of ${scored.length} within a factor of ${DATA.similar_factor} of ${sizeText(params)}`, { class: "quiet-text" }));
  if (chosen && chosen.ratio > 0) root.append(line(X(chosen.ratio), box.top, X(chosen.ratio), box.bottom, "star-line"));
  return undefined;
}
