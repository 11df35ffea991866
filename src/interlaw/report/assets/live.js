// A served page: asks how the sweep goes, shows it, and opens the page again when a trial has ended.
"use strict";

const SHOWN = JSON.parse(document.getElementById("data").textContent).live;
const PAUSE = 2000;

function sentence(now) {
  const failed = now.failed ? `, ${now.failed} failed or diverged` : "";
  const over = !now.running && !now.pending ? ". The sweep has ended." : !now.running ? ". Nothing runs at the moment." : "";
  return `${now.done} done${failed}, ${now.running} running, ${now.pending} waiting${over}`;
}

function duration(seconds) {
  if (seconds < 90) return `${Math.ceil(seconds)} seconds`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} minutes` : `${number(seconds / 3600, 2)} hours`;
}

function showNow(now) {
  const words = document.getElementById("live-now");
  if (words.textContent !== sentence(now)) words.textContent = sentence(now);
  const ended = now.done + now.failed;
  const bar = html("progress", { value: ended, max: Math.max(ended + now.running + now.pending, 1), "aria-label": "trials ended" });
  const left = now.seconds_left === null || !now.running ? null : html("p", { class: "quiet" }, `about ${duration(now.seconds_left)} left`);
  const running = now.trials.map(liveTrial);
  const reasons = Object.entries(now.reasons).slice(0, 3).map(([key, reason]) => html("p", { class: "quiet" }, `${key}: ${reason}`));
  const place = document.getElementById("live-trials");
  place.replaceChildren(...[left].filter(Boolean), ...running, ...(document.getElementById("trials") ? [] : reasons));
  const before = place.previousElementSibling;
  if (before.tagName === "PROGRESS") before.replaceWith(bar);
  else place.before(bar);
}

// One running trial: where it stands, and its losses since somebody watches.
function liveTrial({ name, budget, step, steps, losses }) {
  const last = losses.at(-1)?.[1];
  const words = `${budget}: ${name}`;
  const said = `step ${number(step)} of ${number(steps)}${last === undefined ? "" : `, training loss ${number(last, 4)}`}`;
  return html("div", { class: "live-trial" }, html("p", {}, html("strong", {}, words)), html("p", { class: "quiet" }, said), losses.length > 1 ? sparkline(losses, steps) : null);
}

function sparkline(losses, steps) {
  const values = losses.map(([, loss]) => loss);
  const y = scale({ low: Math.min(...values), high: Math.max(...values), log: Math.min(...values) > 0 }, 28, 2);
  const points = losses.map(([step, loss]) => [(100 * step) / steps, y(loss)]);
  return svg("svg", { viewBox: "0 0 100 30", preserveAspectRatio: "none", "aria-hidden": "true" }, path(points, { class: "fit" }));
}

// Not while the reader types: the page waits until the field is left.
const isTyping = () => ["INPUT", "SELECT"].includes(document.activeElement?.tagName) && document.activeElement.type !== "checkbox";

async function ask() {
  let pause = PAUSE;
  try {
    const answer = await fetch("status.json", { cache: "no-store" });
    const now = await answer.json();
    if (now.error) document.getElementById("live-now").textContent = now.error;
    else {
      showNow(now);
      if (now.version !== SHOWN && !isTyping()) {
        await fetch("/", { cache: "no-store" }); // the page is made while this one still stands
        location.reload();
        return;
      }
    }
  } catch {
    document.getElementById("live-now").textContent = "interlaw watch has ended; this is the last state that it saw.";
    pause = 5 * PAUSE;
  }
  setTimeout(ask, pause);
}

ask();
