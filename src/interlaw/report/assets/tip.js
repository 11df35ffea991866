// The words that follow the pointer, and the switch between light and dark: what every page of ours has.
"use strict";

const tip = html("div", { id: "tip", "aria-hidden": "true", hidden: true });
const marked = (event) => event.target.closest?.("[data-shape], [data-tip]");

function showTip(words, x, y) {
  tip.textContent = words;
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(8, Math.min(x + 14, innerWidth - width - 8))}px`;
  tip.style.top = `${y + height + 24 > innerHeight ? Math.max(8, y - height - 14) : y + 14}px`;
}

// Shows `wordsOf(mark)` while a mark is pointed at or has the keyboard's focus.
function prepareTip(wordsOf) {
  document.body.append(tip);
  document.addEventListener("pointermove", (event) => {
    const target = event.pointerType === "mouse" && !event.target.closest?.("table") ? marked(event) : null;
    if (target) showTip(wordsOf(target), event.clientX, event.clientY);
    else tip.hidden = true;
  });
  addEventListener("scroll", () => { tip.hidden = true; }, { passive: true, capture: true });
  document.addEventListener("focusin", (event) => {
    const target = event.target.matches?.("svg [data-shape], svg [data-tip]") ? event.target : null;
    const { right, bottom } = event.target.getBoundingClientRect();
    if (target?.matches(":focus-visible")) showTip(wordsOf(target), right, bottom);
    else tip.hidden = true;
  });
}

function themeButton() {
  const button = html("button", { type: "button", id: "theme" });
  button.addEventListener("click", () => { state.theme = { "": "light", light: "dark", dark: "" }[state.theme]; refresh(); });
  return button;
}

function showTheme() {
  document.documentElement.dataset.theme = state.theme;
  document.getElementById("theme").textContent = `Theme: ${state.theme || "system"}`;
}
