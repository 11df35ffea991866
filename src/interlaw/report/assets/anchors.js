// Addresses that lead to a part of the page: "#trials", or "#trials&view=loss" with what was chosen.
"use strict";

// The part that the address names; empty where it names none.
function partOf(hash) {
  const name = hash.replace(/^#/, "").split("&")[0];
  return !name.includes("=") && document.getElementById(name)?.matches("section") ? name : "";
}

// A link of the page itself names a part, or nothing: what was chosen is not in it and stays.
const choosesNothing = (hash) => hash !== "" && hash !== "#" && !hash.includes("=");
const addressOf = (part, chosen) => [part, new URLSearchParams(chosen).toString()].filter(Boolean).join("&");
const goTo = (part) => document.getElementById(part)?.scrollIntoView();

function writeHash(hash) {
  if (hash !== location.hash.slice(1)) history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
}

// A page that is opened goes to its part; one that is opened again stays where the reader was.
function goToFirst(part) {
  if (performance.getEntriesByType("navigation")[0]?.type === "navigate") goTo(part);
}
