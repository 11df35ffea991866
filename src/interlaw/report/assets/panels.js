// The panels: each takes its place on the page and draws the numbers that the page carries.
"use strict";

const MOST_NUMBERED = 48;
const kindOf = (budget) => budgets.indexOf(budget);

// A mark that can be pointed at, focused and chosen; `key` where it stands for one trial.
function active(element, shape, { key = null, name = null } = {}) {
  element.dataset.shape = shape;
  if (key) element.dataset.key = key;
  element.classList.add("active");
  if (name) {
    build(element, { tabindex: -1, role: "button", "aria-label": name, "aria-pressed": "false" }, []);
  }
  return element;
}

const shapeName = (point) => `${point.depth} layers x ${point.width}, R = ${number(point.ratio, 3)}`;

// ---- loss against R ----

function drawLoss(host) {
  const { ratio_limits: [low, high], loss_limits: limits } = analysis();
  for (const [panel, cell, width] of cellsOf(host, shownPanels(), (each) => each.budget_text)) {
    const [floor, top] = limits[analysis().panels.indexOf(panel)];
    const plot = frame(cell, {
      width,
      title: `Loss against depth / width at ${panel.budget_text}`,
      x: { low, high, log: true, label: "R = depth / width" },
      y: { low: floor, high: top, label: `test loss (${DATA.units.loss})` },
      height: 310,
    });
    drawIntervals(plot, panel.fit);
    drawCurve(plot, panel.fit);
    drawSeeds(plot, panel, top);
    drawMeans(plot, panel.fit, top);
    drawStar(plot, panel.fit, floor);
  }
}

function drawIntervals({ root, X, box }, fit) {
  if (fit.loss_interval) {
    const { low, high, delta } = fit.loss_interval;
    const [left, right] = [Math.max(X(low), box.left), Math.min(X(high), box.right)];
    root.append(svg("rect", { x: left, y: box.top, width: Math.max(right - left, 1.5), height: box.bottom - box.top, class: "good" }));
    root.append(label((left + right) / 2, box.top + 12, `within ${percent(delta)}`, { class: "good-text", "text-anchor": "middle" }));
  }
  const found = fit.interaction_interval;
  if (!found || found.low === null) return;
  const [start, end] = [X(found.low), X(found.high)];
  root.append(svg("rect", { x: start - 3, y: box.bottom - 9, width: end - start + 6, height: 6, rx: 2, class: "interaction" }));
  const after = end + 120 < box.right;
  const before = !after && start - 120 > box.left;
  const [x, y] = after ? [end + 8, box.bottom - 2] : before ? [start - 8, box.bottom - 2] : [start, box.bottom - 13];
  root.append(label(x, y, "interaction interval", { class: "interaction-text", "text-anchor": before ? "end" : "start" }));
}

function drawCurve({ inside, X, Y }, { curve, r_star: star }) {
  if (!curve) return;
  if (curve.low) {
    const upper = curve.ratio.map((ratio, i) => [X(ratio), Y(curve.high[i])]);
    const lower = curve.ratio.map((ratio, i) => [X(ratio), Y(curve.low[i])]).reverse();
    inside.append(path([...upper, ...lower], { class: "band" }));
  }
  inside.append(path(curve.ratio.map((ratio, i) => [X(ratio), Y(curve.loss[i])]), { class: star.value === null ? "fit unsure" : "fit" }));
}

function drawSeeds({ root, X, Y }, panel, top) {
  for (const seed of panel.seeds) {
    if (!isOn("seeds", seed.seed) || seed.adjusted > top) continue;
    const tick = svg("path", { d: "M-6,0H6", transform: `translate(${X(seed.ratio)},${Y(seed.adjusted)})`, class: "seed" });
    root.append(active(tick, shapeOf(panel.fit.budget, seed.depth, seed.width), { key: seed.key }));
  }
}

function drawMeans({ root, X, Y, box }, fit, top) {
  let labelled = -Infinity;
  for (const point of fit.points) {
    const above = point.adjusted > top;
    const y = above ? box.top + 8 : Y(point.adjusted);
    const name = `${shapeName(point)}, loss ${number(point.loss)}`;
    const dot = marker(above ? 2 : 0, X(point.ratio), y, 4.5, { class: point.in_window ? "mean" : "mean outside" });
    root.append(active(dot, shapeOf(fit.budget, point.depth, point.width), { name }));
    if (X(point.ratio) - labelled < 12) continue;
    labelled = X(point.ratio);
    root.append(label(labelled + 7, y - 6, above ? `${point.depth}: ${number(point.adjusted, 3)}` : point.depth, { class: "depth" }));
  }
}

// A budget's status in words, as `status_text` of the law says it.
function statusText({ status, edge, open_side: side }) {
  if (status === "edge") return edge === "high" ? "still falls: try deeper" : "still falls: try wider";
  if (status === "open") return { low: "turns, no lower bound", high: "turns, no upper bound" }[side] ?? "turns, no bound";
  return { flat: "no difference seen", too_few_shapes: "too few shapes", not_comparable: "sizes too unequal" }[status] ?? status;
}

function drawStar({ root, X, Y, box }, fit, floor) {
  const { r_star: star, curve } = fit;
  if (star.value === null || !curve || curve.loss_min === null) {
    root.append(label((box.left + box.right) / 2, box.bottom - 34, statusText(star), { class: "star-text", "text-anchor": "middle" }));
    return;
  }
  const y = Y(floor + 0.6 * (curve.loss_min - floor));
  const [left, right] = [star.low === null ? box.left : X(star.low), star.high === null ? box.right : X(star.high)];
  root.append(line(X(star.value), Y(curve.loss_min), X(star.value), y, "star-line"), line(left, y, right, y, "star-bar"));
  root.append(end(left, y, star.low === null ? "left" : null), end(right, y, star.high === null ? "right" : null));
  root.append(marker(3, X(star.value), Y(curve.loss_min), 4.5, { class: "star" }));
  const outside = right + 84 > box.right;
  root.append(label(outside ? left - 8 : right + 8, y + 4, `R* = ${number(star.value, 2)}`, { class: "star-text", "text-anchor": outside ? "end" : "start" }));
}

// An interval's end: a cap, or an arrow where the data set no bound.
function end(x, y, arrow) {
  const forms = { left: "M0,0L8,-5V5Z", right: "M0,0L-8,-5V5Z", up: "M0,0L-5,8H5Z", down: "M0,0L-5,-8H5Z", across: "M-5,0H5" };
  const cap = arrow === null || arrow === "across";
  return svg("path", { d: arrow === null ? "M0,-5V5" : forms[arrow], transform: `translate(${x},${y})`, class: cap ? "star-bar" : "star-arrow" });
}

// ---- the interaction plane ----

function drawPlane(host, scaleHost) {
  const points = analysis().plane.filter((point) => isOn("budgets", point.budget));
  const shown = budgets.filter((budget) => points.some((point) => point.budget === budget));
  legendBefore(host, shown.map((budget) => html("span", {}, keyMark(kindOf(budget), "glyph"), budgetText.get(budget))));
  const excess = state.excess === "1";
  const value = (point) => (excess ? point.excess_ratio : point.aofe_ratio);
  const drawn = points.filter((point) => value(point) !== null);
  if (!drawn.length) {
    host.replaceChildren(html("p", { class: "quiet" }, "Nothing to draw: every budget is switched off, or this view has no chance level."));
    scaleHost.replaceChildren();
    return;
  }
  const heights = drawn.flatMap((point) => (excess ? [point.excess_ratio, 0] : [point.aofe_ratio, point.null_ratio ?? point.aofe_ratio]));
  const plot = frame(host, {
    title: "Interaction plane",
    x: { ...range(drawn.map((point) => point.aofe), { log: true }), label: "AOFE, off-diagonal energy (log scale)", format: compact },
    y: { ...range(heights), label: excess ? "excess: AOFE-ratio above chance" : "AOFE-ratio" },
    height: 430,
  });
  const ratios = points.map((point) => Math.log(point.ratio));
  const [small, large] = [Math.min(...ratios), Math.max(...ratios)];
  const radius = (point) => 4 + 5 * (large > small ? (Math.log(point.ratio) - small) / (large - small) : 0.5);
  const worst = Math.max(...drawn.map((point) => point.loss_excess), 1e-3);
  if (excess) plot.root.append(line(plot.box.left, plot.Y(0), plot.box.right, plot.Y(0), "chance-line"));
  else for (const budget of budgets) drawFront(plot, drawn.filter((point) => point.budget === budget && point.pareto));
  for (const point of drawn) drawPlanePoint(plot, point, value(point), { radius: radius(point), worst, excess, few: drawn.length <= MOST_NUMBERED });
  plot.root.append(label(plot.box.right, plot.box.top - 3, "efficient: up and left", { class: "interaction-text", "text-anchor": "end" }));
  scaleHost.replaceChildren(html("span", {}, "test loss above the budget's best: 0%"), html("span", { class: "ramp", "aria-hidden": "true" }), html("span", {}, percent(worst)));
}

function drawFront({ root, X, Y }, front) {
  const sorted = front.slice().sort((a, b) => a.aofe - b.aofe);
  root.append(path(sorted.map((point) => [X(point.aofe), Y(point.aofe_ratio)]), { class: "front" }));
  for (const point of sorted) root.append(svg("circle", { cx: X(point.aofe), cy: Y(point.aofe_ratio), r: 13, class: "front" }));
}

function drawPlanePoint({ root, X, Y }, point, value, { radius, worst, excess, few }) {
  const [x, y, kind] = [X(point.aofe), Y(value), kindOf(point.budget)];
  if (!excess && point.null_ratio !== null) {
    root.append(line(x, y, x, Y(point.null_ratio), "to-chance"), marker(kind, x, Y(point.null_ratio), radius * 0.65, { class: "chance" }));
  }
  const dot = marker(kind, x, y, radius, { class: "heat" });
  dot.style.setProperty("--t", `${(100 * point.loss_excess) / worst}%`);
  const name = `${shapeName(point)}, AOFE ${number(point.aofe, 3)}, AOFE-ratio ${number(point.aofe_ratio)}, loss ${percent(point.loss_excess)} above the best`;
  root.append(active(dot, shapeOf(point.budget, point.depth, point.width), { name }));
  if (few) root.append(label(x + radius + 3, y - 4, point.depth, { class: "depth" }));
}
