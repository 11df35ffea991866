// A served page: asks how the sweep goes, shows it, and opens the page again when a trial has ended.
"use strict";

const PAUSE = 2000;

function showNow(now) {
  const words = byId("live-now");
  if (words.textContent !== now.sentence) words.textContent = now.sentence;
  Object.assign(byId("live-bar"), { value: now.done + now.failed, max: Math.max(now.done + now.failed + now.running + now.pending, 1) });
  byId("live-left").textContent = now.left;
  byId("live-trials").replaceChildren(...now.said.map((each) => Object.assign(document.createElement("li"), { textContent: each })));
  const place = byId("live-figure");
  place.hidden = now.losses.length === 0;
  const cell = place.querySelector(".cell");
  if (place.hidden) return;
  const fill = () => drawn.get(cell)?.view.data("now", now.losses).resize().runAsync(); // the legend grows with what runs
  if (drawn.get(cell)) fill();
  else drawCell(cell).then(fill);
}

// Not while the reader types: the page waits until the field is left.
const isTyping = () => ["INPUT", "SELECT"].includes(document.activeElement?.tagName) && document.activeElement.type !== "checkbox";

async function ask() {
  let pause = PAUSE;
  try {
    const now = await (await fetch("status.json", { cache: "no-store" })).json();
    if (now.error) byId("live-now").textContent = now.error;
    else {
      showNow(now);
      if (now.version !== DATA.live && !isTyping()) {
        await fetch("/", { cache: "no-store" }); // the page is made while this one still stands
        location.reload();
        return;
      }
    }
  } catch {
    byId("live-now").textContent = "interlaw watch has ended; this is the last state that it saw.";
    pause = 5 * PAUSE;
  }
  setTimeout(ask, pause);
}

addEventListener("DOMContentLoaded", ask);
