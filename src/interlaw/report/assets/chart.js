// Marks, scales and axes as SVG: everything that a panel is drawn with. Text enters as text nodes only.
"use strict";

const SVG = "http://www.w3.org/2000/svg";

const svg = (name, attributes = {}, ...children) => build(document.createElementNS(SVG, name), attributes, children);
const html = (name, attributes = {}, ...children) => build(document.createElement(name), attributes, children);

function build(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// ---- numbers in words ----

function number(value, digits = 4) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (Number.isInteger(value) && Math.abs(value) < 1e12) return value.toLocaleString("en-US");
  const short = Number(value.toPrecision(digits));
  const far = short !== 0 && (Math.abs(short) >= 1e6 || Math.abs(short) < 1e-4);
  return far ? short.toExponential(Math.max(digits - 2, 0)).replace("e+", "e") : String(short);
}

function sizeText(value) {
  const power = Math.max(0, Math.min(4, Math.floor(Math.log10(value) / 3 + 1e-9)));
  return number(value / 1000 ** power, 3) + ["", "k", "M", "B", "T"][power];
}

const compact = (value) => (value >= 1e4 ? String(Number(value.toPrecision(3)).toExponential()).replace("e+", "e") : number(value, 3));
const percent = (value) => `${number(100 * value, 3)}%`;

// ---- scales ----

function scale({ low, high, log = false }, start, end) {
  const to = log ? Math.log : (value) => value;
  const span = to(high) - to(low) || 1;
  return (value) => start + ((to(value) - to(low)) / span) * (end - start);
}

const NARROW = 4; // so few round numbers lie within it that even steps read better, on a log axis too

function ticks({ low, high, log = false }, most) {
  if (!log || high / low < NARROW) {
    const rough = (high - low) / most;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
    const first = Math.ceil(low / step);
    return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
  }
  let inside = [];
  for (const steps of [[1, 1.5, 2, 3, 4, 5, 6, 8], [1, 2, 3, 5], [1, 2, 5], [1, 3], [1]]) {
    inside = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
      inside.push(...steps.map((step) => Number((step * 10 ** power).toPrecision(3))).filter((t) => t >= low && t <= high));
    }
    if (inside.length <= most) return inside;
  }
  return inside.filter((_, i) => i % Math.ceil(inside.length / most) === 0);
}

// The range of some values with a margin on both sides, in the axis' own measure.
function range(values, { log = false, margin = 0.06 } = {}) {
  const finite = values.filter((value) => Number.isFinite(value) && (!log || value > 0));
  let [low, high] = [Math.min(...finite), Math.max(...finite)];
  if (low === high) [low, high] = log ? [low / 1.5, high * 1.5] : [low - 0.5 * (Math.abs(low) || 1), high + 0.5 * (Math.abs(high) || 1)];
  if (log) {
    const factor = (high / low) ** margin;
    return { low: low / factor, high: high * factor, log };
  }
  return { low: low - margin * (high - low), high: high + margin * (high - low), log };
}

// Moves positions apart until neighbours are `gap` from each other; keeps their order.
function spread(positions, gap, low, high) {
  const order = positions.map((_, i) => i).sort((a, b) => positions[a] - positions[b]);
  const placed = positions.slice();
  order.forEach((index, i) => {
    placed[index] = Math.max(low, placed[index], i ? placed[order[i - 1]] + gap : -Infinity);
  });
  for (let i = order.length - 1; i >= 0; i -= 1) {
    const limit = i === order.length - 1 ? high : placed[order[i + 1]] - gap;
    placed[order[i]] = Math.min(placed[order[i]], limit);
  }
  return placed;
}

// ---- marks ----

const MARKERS = [
  (r) => `M${-r},0a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0Z`,
  (r) => `M${-0.89 * r},${-0.89 * r}h${1.78 * r}v${1.78 * r}h${-1.78 * r}Z`,
  (r) => `M0,${-1.25 * r}L${1.15 * r},${0.8 * r}H${-1.15 * r}Z`,
  (r) => `M0,${-1.3 * r}L${1.3 * r},0L0,${1.3 * r}L${-1.3 * r},0Z`,
  (r) => `M0,${1.25 * r}L${1.15 * r},${-0.8 * r}H${-1.15 * r}Z`,
  (r) => `M${-0.4 * r},${-1.1 * r}h${0.8 * r}v${0.7 * r}h${0.7 * r}v${0.8 * r}h${-0.7 * r}v${0.7 * r}h${-0.8 * r}v${-0.7 * r}h${-0.7 * r}v${-0.8 * r}h${0.7 * r}Z`,
];

const marker = (kind, x, y, radius, attributes) =>
  svg("path", { d: MARKERS[kind % MARKERS.length](radius), transform: `translate(${x.toFixed(2)},${y.toFixed(2)})`, ...attributes });

const line = (x1, y1, x2, y2, name) => svg("line", { x1, y1, x2, y2, class: name });
const label = (x, y, words, attributes = {}) => svg("text", { x, y, ...attributes }, words);
const path = (points, attributes) => svg("path", { d: points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(2)},${y.toFixed(2)}`).join(""), ...attributes });

// ---- a panel's frame: the SVG, its scales and its axes ----

// A mark that only tells: pointed at, or reached by the arrows.
function told(element, words) {
  element.dataset.tip = words;
  element.classList.add("told");
  return build(element, { tabindex: -1, role: "img", "aria-label": words.replaceAll("\n", ", ") }, []);
}

// One stop of the tab key a panel: its first mark, or the one in `.chosen`.
function tabStops(host) {
  for (const root of host.querySelectorAll("svg")) {
    if (!root.querySelector("[tabindex='0']")) root.querySelector("[tabindex]")?.setAttribute("tabindex", "0");
  }
}

// Where the key leads from a mark: to its neighbour in the panel.
function walk(event, mark) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const marks = [...mark.ownerSVGElement.querySelectorAll("[tabindex]")];
  const next = marks[(marks.indexOf(mark) + step + marks.length) % marks.length];
  mark.setAttribute("tabindex", "-1");
  next.setAttribute("tabindex", "0");
  next.focus();
}

// Names at the lines' right ends; where there is no room, numbers, and the names in a list below.
function nameLines({ root, box, host }, lines, narrow) {
  const places = spread(lines.map(({ end }) => end[1]), 15, box.top + 4, box.bottom);
  lines.forEach(({ name, words, end: [x, y] }, i) => {
    const said = label(box.right + (narrow ? 4 : 10), places[i] + 4, narrow ? i + 1 : name, { class: "published-text", "aria-hidden": "true" });
    said.dataset.tip = words;
    root.append(line(x, y, box.right + (narrow ? 2 : 6), places[i], "leader"), said);
  });
  if (narrow && lines.length) host.append(html("ol", { class: "law-names" }, ...lines.map(({ name }) => html("li", {}, name))));
}

// What each mark stands for, above a panel: on paper and in a picture of it too.
function legendBefore(host, entries) {
  host.parentElement.querySelector(".legend")?.remove();
  if (entries.length) host.before(html("p", { class: "legend" }, ...entries));
}

const keyMark = (kind, name) => svg("svg", { width: 14, height: 14, viewBox: "-7 -7 14 14", "aria-hidden": "true" }, marker(kind, 0, 0, 4.5, { class: name }));

// A cell a panel, each with its heading; `width` is read once, before anything is drawn, and holds for all.
function cellsOf(host, panels, heading) {
  const cells = panels.map((panel) => html("div", { class: "cell" }, html("h3", {}, heading(panel)), html("div")));
  host.replaceChildren(...cells);
  const width = cells[0]?.clientWidth;
  return panels.map((panel, i) => [panel, cells[i].lastChild, width]);
}

// `inside` holds what must not reach over the axes.
function frame(host, { title, x, y, width: given = null, height = 300, right = 14, mostX = 6, mostY = 6 }) {
  const width = Math.max(given ?? host.clientWidth, 240);
  const box = { left: 58, right: width - right, top: 14, bottom: height - 46 };
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": title });
  const X = scale(x, box.left, box.right);
  const Y = scale(y, box.bottom, box.top);
  const axes = svg("g", { class: "axes", "aria-hidden": "true" });
  for (const value of x.ticks ?? ticks(x, Math.max(3, Math.min(mostX, Math.floor((box.right - box.left) / 56))))) {
    axes.append(line(X(value), box.bottom, X(value), box.bottom + 5, "tick"), label(X(value), box.bottom + 18, (x.format ?? number)(value), { "text-anchor": "middle" }));
  }
  for (const value of y.ticks ?? ticks(y, mostY)) {
    axes.append(line(box.left, Y(value), box.right, Y(value), "grid"), label(box.left - 8, Y(value) + 4, (y.format ?? number)(value), { "text-anchor": "end" }));
  }
  axes.append(
    line(box.left, box.bottom, box.right, box.bottom, "axis"),
    label((box.left + box.right) / 2, height - 8, x.label, { class: "axis-label", "text-anchor": "middle" }),
    svg("text", { class: "axis-label", "text-anchor": "middle", transform: `translate(13,${(box.top + box.bottom) / 2}) rotate(-90)` }, y.label),
  );
  const id = `inside-${document.querySelectorAll("clipPath").length}`;
  const clip = svg("clipPath", { id }, svg("rect", { x: box.left, y: box.top, width: box.right - box.left, height: box.bottom - box.top }));
  const inside = svg("g", { "clip-path": `url(#${id})` });
  root.append(clip, axes, inside);
  host.replaceChildren(root);
  return { root, inside, X, Y, box, host };
}
