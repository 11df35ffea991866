// Learning-rate treatments compared: curves, shapes and R* of each in one panel a budget, and their differences in words.
"use strict";

const CEILING = 0.3; // losses above the panel's best by more than this are left above the scale

function drawTreatments(host, differences) {
  const { budgets: all, confidence } = DATA.comparison;
  const shown = budgets.filter((budget) => isOn("budgets", budget) && all.some((each) => each.budget === budget));
  const x = range(all.flatMap((each) => each.points.map((point) => point.ratio)), { log: true });
  legendBefore(host, treatments.map((name, i) => html("span", { class: `treatment-${i}` }, keyMark(i, "treated"), name)));
  for (const [budget, cell, width] of cellsOf(host, shown, (each) => budgetText.get(each))) {
    drawTreated(cell, all.filter((each) => each.budget === budget), { x, width });
  }
  differences.replaceChildren(listOf(DATA.comparison.differences.filter((each) => shown.includes(each.budget)), confidence));
}

function drawTreated(host, treated, { x, width }) {
  const losses = treated.flatMap((each) => each.points.map((point) => point.adjusted));
  const [low, high] = [Math.min(...losses), Math.min(Math.max(...losses), (1 + CEILING) * Math.min(...losses))];
  const room = 0.08 * (treated.length + 1);
  const plot = frame(host, {
    width,
    title: `Loss under each treatment at ${budgetText.get(treated[0].budget)}`,
    x: { ...x, label: "R = depth / width" },
    y: { low: low - ((high - low || 0.1 * low) * room) / (1 - room), high: high + 0.06 * (high - low || 0.1 * low), label: `test loss (${DATA.units.loss})` },
    height: 330,
  });
  treated.forEach((each, place) => {
    const root = svg("g", { class: `treatment-${treatments.indexOf(each.treatment)}` });
    const inside = svg("g");
    plot.inside.append(inside);
    inside.setAttribute("class", root.getAttribute("class"));
    plot.root.append(root);
    drawTreatedLosses({ ...plot, root, inside }, each, high);
    drawTreatedStar({ ...plot, root }, each, plot.box.bottom - 12 - 17 * (treated.length - 1 - place));
  });
}

function drawTreatedLosses({ root, inside, X, Y, box }, { treatment, budget, points, curve }, high) {
  if (curve?.low) {
    const upper = curve.ratio.map((ratio, i) => [X(ratio), Y(curve.high[i])]);
    inside.append(path([...upper, ...curve.ratio.map((ratio, i) => [X(ratio), Y(curve.low[i])]).reverse()], { class: "treated-band" }));
  }
  if (curve) inside.append(path(curve.ratio.map((ratio, i) => [X(ratio), Y(curve.loss[i])]), { class: "treated-curve" }));
  for (const point of points) {
    const above = point.adjusted > high;
    const dot = marker(above ? 2 : treatments.indexOf(treatment), X(point.ratio), above ? box.top + 8 : Y(point.adjusted), 4.5, { class: "treated" });
    const name = `${treatment}: ${shapeName(point)}, loss ${number(point.loss)}`;
    dot.dataset.tip = name;
    root.append(active(dot, shapeOf(budget, point.depth, point.width), { name }));
  }
}

function drawTreatedStar({ root, X, box }, { treatment, r_star: star, points }, y) {
  const kind = treatments.indexOf(treatment);
  const ratios = points.map((point) => point.ratio);
  if (star.value === null) {
    if (star.edge) root.append(marker(kind, X(star.edge === "low" ? Math.min(...ratios) : Math.max(...ratios)), y, 4.5, { class: "treated hollow" }));
    return;
  }
  const [left, right] = [star.low === null ? box.left : X(star.low), star.high === null ? box.right : X(star.high)];
  const cap = (x, forward) => (forward === null ? svg("path", { d: "M0,-5V5", transform: `translate(${x},${y})`, class: "treated-bar" }) : svg("path", { d: forward ? "M0,0L-8,-5V5Z" : "M0,0L8,-5V5Z", transform: `translate(${x},${y})`, class: "treated-end" }));
  root.append(line(left, y, right, y, "treated-bar"), cap(left, star.low === null ? false : null), cap(right, star.high === null ? true : null));
  root.append(marker(kind, X(star.value), y, 5, { class: "treated" }));
}

const VERDICTS = { moves: "R* moves", same: "the same choice of shape", "cannot tell": "cannot be told apart" };

function listOf(differences, confidence) {
  return html("ul", {}, ...differences.map((each) => {
    const factor = each.factor === null ? "no two optima to compare" : `R* times ${number(each.factor, 3)} (${percent(confidence)} interval ${orUnbounded(each.low)} to ${orUnbounded(each.high)}): ${VERDICTS[each.verdict]}`;
    const loss = each.loss_change === null ? "" : `; lowest loss ${each.loss_change > 0 ? "+" : "−"}${percent(Math.abs(each.loss_change))}`;
    return html("li", {}, `${budgetText.get(each.budget)}, from ${each.first} to ${each.second}: ${factor}${loss}`);
  }));
}

const orUnbounded = (value) => (value === null ? "unbounded" : number(value, 3));
