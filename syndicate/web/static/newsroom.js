"use strict";
// The newsroom works without this. It keeps the page fresh, copies a post's text, and listens to j k a r.

const EVERY = 10000; // milliseconds between looks
const main = () => document.getElementById("main");

// Keys: j and k go from card to card, a and r press the button of the one with the focus.

const OFF = "syndicate-keys=off";
const areOff = () => document.cookie.split("; ").includes(OFF);
const stops = () => [...main().querySelectorAll(".card[tabindex], .row[tabindex]")];
const standing = () => document.activeElement?.closest(".card[tabindex], .row[tabindex]");

function step(by) {
  const all = stops();
  if (!all.length) return;
  const at = all.indexOf(standing());
  const next = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by))];
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "center" });
}

function press(key) {
  const button = standing()?.querySelector(`[data-key="${key}"]`);
  if (!button) return;
  button.click();
  button.closest("details")?.querySelector("input:not([type=hidden])")?.focus();
}

const isTyping = (element) => element.matches?.("input, textarea, select, [contenteditable]");

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    const open = document.activeElement?.closest("details.ask[open]");
    if (open) {
      open.open = false;
      open.querySelector("summary").focus();
    }
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || isTyping(event.target) || areOff()) return;
  if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
  else if (event.key === "a" || event.key === "r") press(event.key);
  else return;
  event.preventDefault();
});

document.addEventListener("click", (event) => {
  if (event.target.id === "keys-off") {
    const age = areOff() ? 0 : 31536000;
    document.cookie = `${OFF}; path=${location.pathname}; max-age=${age}; samesite=lax`;
    showKeys();
  }
  const copying = event.target.closest("[data-copy]");
  if (copying && navigator.clipboard) {
    event.preventDefault();
    const text = document.getElementById(copying.dataset.copy).value;
    navigator.clipboard.writeText(text).then(
      () => (copying.textContent = "Copied"),
      () => (copying.closest("details").open = true),
    );
  }
});

function showKeys() {
  const line = document.getElementById("keys");
  if (!line) return;
  line.hidden = false;
  document.getElementById("keys-off").textContent = areOff() ? "Switch keys on" : "Switch keys off";
}

// A second press of a button that was pressed does nothing: the first is under way.
document.addEventListener("submit", (event) => {
  if (event.target.method !== "post") return;
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "1";
});

// Fresh: Today is fetched again and its parts are put in place, unless somebody is at something in them.

const isBusy = () =>
  document.hidden ||
  !document.getElementById("verdict") ||
  isTyping(document.activeElement) ||
  main().querySelector("details[open]") ||
  document.querySelector("[data-sent]") ||
  !getSelection().isCollapsed;

// Where the focus is, so that it is found again among new elements: the nearest id, and which link or button below it.
const KEEN = "a, button, summary, input";
const place = (element) => {
  const named = element?.closest("[id]");
  return named && [named.id, named === element ? -1 : [...named.querySelectorAll(KEEN)].indexOf(element)];
};
const at = ([id, number]) => {
  const named = document.getElementById(id);
  return number < 0 ? named : named?.querySelectorAll(KEEN)[number];
};

async function refresh() {
  if (isBusy()) return;
  const answer = await fetch(location.pathname, { headers: { accept: "text/html" }, redirect: "manual" });
  if (answer.type === "opaqueredirect") return location.reload(); // logged out
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (isBusy()) return;
  const focused = place(document.activeElement);
  const told = main().querySelector(".told");
  for (const id of ["top", "main"]) {
    const [old, now] = [document.getElementById(id), fresh.getElementById(id)];
    if (old && now && old.innerHTML !== now.innerHTML) old.replaceChildren(...now.childNodes);
  }
  if (told && !main().querySelector(".told")) main().prepend(told);
  if (focused) at(focused)?.focus({ preventScroll: true });
  showKeys();
}

showKeys();
addEventListener("pageshow", (event) => event.persisted && location.reload()); // come back to: its buttons were pressed
if (location.search.includes("said=")) history.replaceState(null, "", location.pathname);
setInterval(() => refresh().catch(() => {}), EVERY);
document.addEventListener("visibilitychange", () => refresh().catch(() => {}));
