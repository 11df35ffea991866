// The explorer's form: what is typed is asked of the server, which asks `recommend`; its answer takes the place of the last.
"use strict";

const form = byId("ask");
const ASK_MS = 300; // between the last key and the question
let askTimer = 0;
let asked = 0;
const MEASURE_MS = 500; // between two questions about how far a measurement is

async function askServer() {
  clearTimeout(askTimer);
  const mine = ++asked;
  const values = new URLSearchParams(new FormData(form));
  const family = values.get("family");
  byId("measuring").textContent = family.startsWith("hf:") ? `Counting networks of ${family} (up to a minute)` : "";
  const found = await fetchAnswer("answer.json", values);
  if (mine !== asked) return; // a later question is on its way
  document.body.classList.toggle("stale", found.error !== "");
  showAnswer(found, values);
}

// Times the present shapes; a question asked meanwhile takes its place.
async function measure() {
  clearTimeout(askTimer);
  const mine = ++asked;
  const values = new URLSearchParams(new FormData(form));
  byId("measuring").textContent = "Starting";
  let found = await fetchAnswer("measure.json", values);
  while (mine === asked && found.progress) {
    byId("wrong").textContent = "";
    byId("measuring").textContent = `Measuring ${found.progress}`;
    await new Promise((resolve) => { setTimeout(resolve, MEASURE_MS); });
    found = await fetchAnswer("measured.json", values);
  }
  if (mine === asked) showAnswer(found, values);
}

async function fetchAnswer(path, values) {
  return (await fetch(`${path}?${values}`, { cache: "no-store" })).json();
}

function showAnswer(found, values) {
  byId("measuring").textContent = "";
  byId("wrong").textContent = found.error;
  if (found.error) return;
  document.body.classList.remove("stale");
  history.replaceState(null, "", `?${values}${location.hash}`);
  for (const result of drawn.values()) result?.view.finalize();
  drawn.clear();
  DATA.panels = found.panels;
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
  form.addEventListener("input", (event) => {
    clearTimeout(askTimer);
    if (event.target.name !== "family") askTimer = setTimeout(askServer, ASK_MS); // half a name asks for nothing
  });
  form.elements.family.addEventListener("change", askServer);
  form.addEventListener("submit", (event) => { event.preventDefault(); askServer(); });
  byId("measure").addEventListener("click", measure);
  if (!byId("answer").childElementCount && !byId("wrong").textContent) askServer();
}
addEventListener("DOMContentLoaded", showPick);
