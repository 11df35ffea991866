// R* against the budget, alone and beside published laws and models; learning curves.
"use strict";

function drawLaw(host) {
  const { law } = analysis();
  const points = law.points.filter((point) => isOn("budgets", point.fit.budget));
  if (!points.length) return host.replaceChildren(html("p", { class: "quiet" }, "Every budget is switched off."));
  const plot = frame(host, {
    title: "Best depth / width against budget",
    x: { ...range(points.map((point) => point.params), { log: true, margin: 0.3 }), label: "N, parameters", ticks: points.map((point) => point.params), format: sizeText },
    y: { ...range(points.flatMap((point) => [point.grid_low, point.grid_high]), { log: true }), label: "R = depth / width" },
    height: 360,
  });
  drawLawLine(plot, law.line);
  for (const other of treatments.filter((each) => each !== state.treatment)) drawOther(plot, other);
  const crowded = points.length > (plot.box.right - plot.box.left) / 100;
  points.forEach((point, i) => drawBudget(plot, point, !crowded || i === points.length - 1));
  return undefined;
}

function drawLawLine({ inside, X, Y }, points) {
  if (!points.length) return;
  const upper = points.map((point) => [X(point.params), Y(point.high)]);
  const lower = points.map((point) => [X(point.params), Y(point.low)]).reverse();
  inside.append(path([...upper, ...lower], { class: "band" }), path(points.map((point) => [X(point.params), Y(point.ratio)]), { class: "fit" }));
}

function drawBudget(plot, point, labelled) {
  const { root, X, Y } = plot;
  const { fit } = point;
  const x = X(point.params);
  root.append(line(x, Y(point.grid_low), x, Y(point.grid_high), "tried"));
  const near = fit.loss_interval;
  if (near) root.append(svg("rect", { x: x - 8, y: Y(near.high), width: 16, height: Math.max(Y(near.low) - Y(near.high), 2), class: "good" }));
  const found = fit.interaction_interval;
  if (found && found.low !== null) root.append(svg("rect", { x: x - 17, y: Y(found.high) - 3, width: 5, height: Y(found.low) - Y(found.high) + 6, rx: 2, class: "interaction" }));
  drawLawStar(plot, point, 6);
  if (!labelled) return;
  const words = fit.r_star.value !== null ? `R* = ${number(fit.r_star.value, 2)}` : statusText(fit.r_star);
  const fits = x + 13 + 7 * words.length < plot.box.right + 14;
  root.append(label(fits ? x + 13 : x - 20, Y(starRatio(point)) - 7, words, { class: "star-text", "text-anchor": fits ? "start" : "end" }));
}

// Where the mark stands: R*, the edge, or the best shape.
function starRatio({ fit, grid_low: low, grid_high: high }) {
  return fit.r_star.value ?? { low, high }[fit.r_star.edge] ?? fit.best.ratio;
}

function drawLawStar({ root, X, Y }, point, radius) {
  const { r_star: star, best, budget } = point.fit;
  const x = X(point.params);
  const y = Y(starRatio(point));
  const shape = shapeOf(budget, best.depth, best.width);
  let mark;
  if (star.value !== null) {
    const [bottom, top] = [Y(star.low ?? point.grid_low), Y(star.high ?? point.grid_high)];
    root.append(line(x, bottom, x, top, "star-bar"));
    root.append(end(x, top, star.high === null ? "up" : "across"), end(x, bottom, star.low === null ? "down" : "across"));
    mark = marker(3, x, y, radius, { class: "star" });
  } else if (star.status === "edge") {
    mark = marker(star.edge === "low" ? 4 : 2, x, y, radius, { class: "star hollow" });
  } else {
    mark = marker(0, x, y, radius * 0.8, { class: "chance" });
  }
  const said = star.value === null ? star.reason : `R* = ${number(star.value, 3)}`;
  root.append(active(mark, shape, { name: `${sizeText(point.params)} parameters: ${said}` }));
}

function drawOther({ root, X, Y }, treatment) {
  const { law } = DATA.analyses.find((each) => each.treatment === treatment);
  const points = law.points.filter((point) => isOn("budgets", point.fit.budget) && point.fit.r_star.value !== null);
  root.append(path(points.map((point) => [X(point.params), Y(point.fit.r_star.value)]), { class: "other" }));
  for (const point of points) root.append(marker(3, X(point.params), Y(point.fit.r_star.value), 4, { class: "chance" }));
  const last = points.at(-1);
  if (!last) return;
  // to the left: the chosen treatment's own words stand on the right
  root.append(label(X(last.params) - 24, Y(last.fit.r_star.value) + 4, treatment, { class: "quiet-text", "text-anchor": "end" }));
}

// ---- beside what others published ----

function drawPublished(host) {
  const { law } = analysis();
  const points = law.points.filter((point) => isOn("budgets", point.fit.budget));
  const { published, models } = DATA;
  const ends = points.flatMap((point) => [point.fit.r_star.low ?? starRatio(point), point.fit.r_star.high ?? starRatio(point)]);
  const narrow = host.clientWidth < 560;
  const plot = frame(host, {
    title: "Best depth / width beside published laws and models",
    x: { ...range([...points.map((point) => point.params), ...models.map((model) => model.params)], { log: true, margin: 0.04 }), label: "N, parameters", format: sizeText },
    y: { ...range([...ends, ...models.map((model) => model.ratio), ...published.flatMap((each) => each.ratio)], { log: true }), label: "R = depth / width" },
    height: 430,
    right: narrow ? 26 : 200,
  });
  const { root, X, Y, box } = plot;
  for (const model of models) {
    const dot = svg("circle", { cx: X(model.params), cy: Y(model.ratio), r: 3, class: "model" });
    const words = `${model.name}\n${sizeText(model.params)} parameters, R = ${number(model.ratio, 3)}${model.score === null ? "" : `\nMMLU-Pro ${number(model.score, 3)}%`}`;
    root.append(told(dot, words));
  }
  drawNamedLines(plot, published, narrow);
  drawLawLine(plot, law.line);
  for (const point of points) drawLawStar(plot, point, 4.5);
  if (points.length) root.append(label(X(points.at(-1).params) + 9, Y(starRatio(points.at(-1))) - 8, "this run", { class: "star-text" }));
  root.append(label(box.right - 4, box.bottom - 8, "dots: published models", { class: "quiet-text", "text-anchor": "end" }));
}

function drawNamedLines(plot, published, narrow) {
  const { root, X, Y, box } = plot;
  const lines = published.map((each) => {
    const clipped = each.params.map((params, i) => [X(params), Y(each.ratio[i])]).filter(([x]) => x <= box.right + 1);
    const drawn = clipped.length > 1 ? path(clipped, { class: "published" }) : svg("circle", { cx: clipped[0][0], cy: clipped[0][1], r: 3, class: "published dot" });
    const words = `${each.name}\n${each.source}\n${each.statement}`;
    root.append(told(drawn, words));
    return { name: each.name, words, end: clipped.at(-1) };
  });
  nameLines(plot, lines, narrow);
}

// ---- learning curves ----

function drawCurves(host) {
  const shown = DATA.curves.filter((curve) => curve.units.length && isShown(rowOf.get(curve.key)));
  const depths = [...new Set(shown.map((curve) => curve.depth))].sort((a, b) => a - b);
  const losses = range(shown.flatMap((curve) => curve.val_loss), { log: true });
  const filled = budgets.filter((budget) => shown.some((curve) => curve.budget === budget));
  for (const [budget, cell, width] of cellsOf(host, filled, (each) => budgetText.get(each))) {
    const members = shown.filter((curve) => curve.budget === budget);
    const { root, X, Y, box } = frame(cell, {
      width,
      title: `Learning curves at ${budgetText.get(budget)}`,
      x: { ...range(members.flatMap((curve) => curve.units), { log: true, margin: 0.02 }), label: `training ${DATA.units.data} (log scale)`, format: sizeText },
      y: { ...losses, label: `validation loss (${DATA.units.loss})` },
      right: 34,
    });
    for (const curve of members) drawLearning(root, X, Y, curve, depths);
    const last = depths.map((depth) => members.find((curve) => curve.depth === depth)).filter(Boolean);
    const places = spread(last.map((curve) => Y(curve.val_loss.at(-1))), 12, box.top, box.bottom);
    last.forEach((curve, i) => root.append(label(box.right + 6, places[i] + 4, curve.depth, { class: "depth" })));
  }
}

function drawLearning(root, X, Y, curve, depths) {
  const points = curve.units.map((units, i) => [X(units), Y(curve.val_loss[i])]);
  const shape = shapeOf(curve.budget, curve.depth, curve.width);
  const drawn = path(points, { class: "curve" });
  drawn.style.setProperty("--t", `${depths.length > 1 ? 100 - (100 * depths.indexOf(curve.depth)) / (depths.length - 1) : 0}%`);
  root.append(active(drawn, shape, { key: curve.key }), active(path(points, { class: "hit" }), shape, { key: curve.key }));
}
