// Where R is efficient at a size, and what a ratio is predicted to cost: interlaw.recommendation, formula for formula.
"use strict";

const { log, exp, sqrt, abs, hypot, min, max } = Math;

// ---- published laws at one size ----

// R*(N) of a law's formula, or of its table, interpolated in log-log and flat beyond its ends.
const FORMULAS = {
  levine: (params) => {
    const depth = root((d) => log(12 * d) + 2 * (5.039 + 0.0555 * d) - log(params), 1e-9, 1000);
    return depth / exp(5.039 + 0.0555 * depth);
  },
  depth_scaling: (params) => {
    // the derivative in log depth of 333 w^-0.977 + 1284 (100 depth)^-1.2 at w = sqrt(N / (12 depth))
    const slope = (d) => (0.977 / 2) * 333 * (params / 12 / d) ** (-0.977 / 2) - 1.2 * 1284 * (100 * d) ** -1.2;
    const depth = exp(root((x) => slope(exp(x)), -3, 9));
    return depth / sqrt(params / 12 / depth);
  },
};

// Where an increasing function crosses zero, by halving.
function root(f, low, high) {
  for (let i = 0; i < 100; i += 1) {
    const middle = (low + high) / 2;
    if (f(middle) > 0) high = middle;
    else low = middle;
  }
  return (low + high) / 2;
}

function interpolated(points, params) {
  const [x, last] = [log(params), points.length - 1];
  if (x <= log(points[0][0])) return points[0][1];
  if (x >= log(points[last][0])) return points[last][1];
  const i = points.findIndex(([size]) => log(size) >= x);
  const [[left, from], [right, to]] = [points[i - 1], points[i]];
  return exp(log(from) + ((x - log(left)) / log(right / left)) * log(to / from));
}

const lawRatio = (law, params) => (FORMULAS[law.kind] ? FORMULAS[law.kind](params) : law.points.length ? interpolated(law.points, params) : null);

function opinions(params) {
  return DATA.laws.map((law) => {
    const { params_low: least, params_high: most } = law;
    const isPaper = law.key === DATA.paper.key;
    const [low, high] = DATA.paper.interval;
    const covered = isPaper || (least / DATA.size_tolerance <= params && params <= most * DATA.size_tolerance);
    const silent = law.kind === "flat" || law.kind === "slope";
    const ratio = isPaper ? sqrt(low * high) : silent ? null : lawRatio(law, min(max(params, least), most));
    const gap = covered ? 0 : max(log(least / params), log(params / most));
    return { law, ratio, low: law.ratio_low, high: law.ratio_high, covered, gap, counts: ratio !== null && !DATA.vision.includes(law.key) };
  }).sort((a, b) => (a.ratio ?? Infinity) - (b.ratio ?? Infinity));
}

// What a law says of a ratio.
function stance(opinion, ratio) {
  let { low, high } = opinion;
  if (low === null || high === null) {
    if (opinion.ratio === null) return "names no ratio";
    [low, high] = [opinion.ratio / DATA.agreement_factor, opinion.ratio * DATA.agreement_factor];
  }
  return ratio < low ? "prefers deeper" : ratio > high ? "prefers shallower" : "supports";
}

function quantile(values, share) {
  const sorted = values.slice().sort((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const i = Math.floor(place);
  return sorted[i] + (place - i) * ((sorted[i + 1] ?? sorted[i]) - sorted[i]);
}

// Median of |d log R* / d log N| over the published laws around N.
function typicalSlope(params) {
  const slopes = DATA.laws.map((law) => (FORMULAS[law.kind] ? log(lawRatio(law, params * 10) / lawRatio(law, params / 10)) / log(100) : law.slope));
  return quantile(slopes.filter((slope) => slope !== null).map(abs), 0.5);
}

// ---- the interval ----

function efficientInterval(params) {
  return (DATA.fit && (DATA.fit.law ? intervalFromLaw(DATA.fit.law, params) : intervalFromBudget(DATA.fit.budgets, params))) || intervalFromLaws(params);
}

function intervalFromLaws(params) {
  const usable = opinions(params).filter((one) => one.counts).sort((a, b) => a.gap - b.gap);
  const covering = usable.filter((one) => one.covered).length;
  const used = usable.slice(0, max(covering, DATA.min_laws));
  const widening = exp(typicalSlope(params) * used.at(-1).gap);
  const [low, centre, high] = [0.25, 0.5, 0.75].map((share) => exp(quantile(used.map((one) => log(one.ratio)), share)));
  const enough = covering >= DATA.min_laws;
  return {
    low: low / widening, high: high * widening, centre, best_low: low / widening, best_high: high * widening,
    source: "published laws", extrapolated: !enough,
    statement: enough ? `the middle half of the ratios that ${covering} published sources name at this size` : `the middle half of the ratios of the ${DATA.min_laws} published sources nearest in size, widened`,
  };
}

// R*(N) of a fitted law with its interval.
function fittedRatio(law, params) {
  const away = log(params / law.reference_params);
  const [[level, cross], [, slope]] = law.covariance;
  const middle = log(law.ratio_at_reference) + law.gamma * away;
  const reach = law.z_quantile * sqrt(max(level + 2 * away * cross + away ** 2 * slope, 0));
  return { ratio: exp(middle), low: exp(middle - reach), high: exp(middle + reach), extrapolated: !(law.params_low * 0.999 <= params && params <= law.params_high * 1.001) };
}

const nearest = (items, params) => items.reduce((best, item) => (abs(log(item.params / params)) < abs(log(best.params / params)) ? item : best));

// Relative loss above the minimum when R* is at `end`, of the fitted budget nearest in size.
function above(well, curvature, ratio, end) {
  const away = log(ratio / end);
  return max(curvature, 0) * away ** 2 * max(1 + well.skew * away, 0.5);
}

function intervalFromLaw(law, params) {
  const best = fittedRatio(law, params);
  const well = nearest(law.curvatures, params);
  const carried = typicalSlope(params) * max(0, log(law.params_low / params), log(params / law.params_high));
  const [below, over] = [hypot(log(best.ratio / best.low), carried), hypot(log(best.high / best.ratio), carried)];
  const reach = (side) => {
    const excess = (away) => above(well, well.value, best.ratio * exp(side * away), best.ratio) - DATA.fit.delta;
    return excess(DATA.farthest_reach) > 0 ? root(excess, 0, DATA.farthest_reach) : DATA.farthest_reach;
  };
  return {
    low: best.ratio * exp(-hypot(reach(-1), below)), high: best.ratio * exp(hypot(reach(1), over)), centre: best.ratio,
    best_low: best.ratio * exp(-below), best_high: best.ratio * exp(over), source: "fit", extrapolated: best.extrapolated,
    statement: `loss within ${(100 * DATA.fit.delta).toFixed(1)}% of the least by your fit (${sizeText(law.params_low)} to ${sizeText(law.params_high)} parameters), widened by R*'s own interval`,
  };
}

// One budget with an optimum: its R* is not moved, its band widens as the typical published slope would move it.
function intervalFromBudget(budgets, params) {
  if (!budgets.length) return null;
  const found = nearest(budgets, params);
  const away = typicalSlope(params) * abs(log(params / found.params));
  const [bestLow, bestHigh] = [found.best_low * exp(-away), found.best_high * exp(away)];
  const tolerance = found.curvature ? sqrt(DATA.fit.delta / found.curvature) : 0.5 * log(found.high / found.low);
  const half = hypot(tolerance, 0.5 * log(bestHigh / bestLow));
  return {
    low: found.ratio * exp(-half), high: found.ratio * exp(half), centre: found.ratio, best_low: bestLow, best_high: bestHigh,
    source: "fit", extrapolated: abs(log(params / found.params)) > log(1.25),
    statement: `loss within ${(100 * DATA.fit.delta).toFixed(1)}% of the least by your fit at ${sizeText(found.params)} parameters, widened by R*'s own interval and by how published laws move with size`,
  };
}

// ---- the penalty ----

// Relative loss above the best shape of the budget: value with its range.
function penalty(ratio, params, interval) {
  const inside = interval.best_low <= ratio && ratio <= interval.best_high;
  if (interval.source === "fit" && DATA.fit.law) {
    const { law } = DATA.fit;
    const [best, well] = [fittedRatio(law, params), nearest(law.curvatures, params)];
    const moved = [ratio * (best.low / interval.best_low), ratio * (best.high / interval.best_high)];
    const all = moved.map((r) => [best.low, best.high].flatMap((end) => [well.low, well.high].map((curvature) => above(well, curvature, r, end))));
    const covered = moved.some((r) => best.low <= r && r <= best.high);
    const tops = moved.map((r, i) => max(...all[i], above(well, well.high, r, best.ratio)));
    return { value: above(well, well.value, ratio, best.ratio), low: inside || covered ? 0 : min(...all.flat()), high: max(...tops) };
  }
  const one = interval.source === "fit" ? nearest(DATA.fit.budgets, params).curvature : null;
  const { flattest, sharpest } = DATA.curvature;
  const [least, typical, most] = one ? [one, one, one] : [flattest, sqrt(flattest * sharpest), sharpest];
  const ends = [interval.best_low, interval.best_high].map((end) => abs(log(ratio / end)));
  return { value: typical * log(ratio / interval.centre) ** 2, low: inside ? 0 : least * min(...ends) ** 2, high: most * max(...ends) ** 2 };
}

// ---- real models ----

const similar = (model, params) => abs(log(model.params / params)) <= log(DATA.similar_factor);
const nearestModels = (shape, count) => DATA.models.slice().sort((a, b) => distance(a, shape) - distance(b, shape)).slice(0, count);
const distance = (model, shape) => hypot(log(model.params / shape.params), log(model.ratio / shape.ratio));
