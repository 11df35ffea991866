// The explorer's form: what is typed is asked of the server, which asks `recommend`; its answer takes the place of the last.
"use strict";

const form = byId("ask");
const ASK_MS = 300; // between the last key and the question
let askTimer = 0;
let asked = 0;

async function askServer() {
  const mine = ++asked;
  const values = new URLSearchParams(new FormData(form));
  const found = await (await fetch(`answer.json?${values}`, { cache: "no-store" })).json();
  if (mine !== asked) return; // a later question is on its way
  byId("wrong").textContent = found.error;
  document.body.classList.toggle("stale", found.error !== "");
  if (found.error) return;
  history.replaceState(null, "", `?${values}${location.hash}`);
  for (const result of drawn.values()) result?.view.finalize();
  drawn.clear();
  Object.assign(DATA, { panels: found.panels });
  byId("answer").innerHTML = found.html; // a template's output: every text in it is escaped
  showPick();
  watchFigures();
  drawRest();
}

// The list opens at the pick; choosing a row or a mark marks it everywhere.
function showPick() {
  const pick = document.querySelector("#shapes tr[data-pick]");
  if (!pick) return;
  pick.classList.add("chosen");
  pick.closest(".scroll").scrollTop = pick.offsetTop - pick.parentElement.offsetTop;
}

if (DATA.served) {
  form.addEventListener("input", () => { clearTimeout(askTimer); askTimer = setTimeout(askServer, ASK_MS); });
  form.addEventListener("submit", (event) => { event.preventDefault(); askServer(); });
}
addEventListener("DOMContentLoaded", showPick);
