// The one small script. Every page is whole without it: it shows times in the reader's zone.
"use strict";

const shown = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
for (const time of document.querySelectorAll("time[datetime][title]")) {
  const at = new Date(time.dateTime);
  if (!Number.isNaN(at.getTime())) time.textContent = shown.format(at);
}

// Keys of a review. They move and open, and decide nothing; whoever speaks to their computer can switch them off.
const keyed = [...document.querySelectorAll("[data-key]")];
const keySwitch = document.querySelector("[data-keyswitch]");
const keysAre = () => { try { return localStorage.getItem("keys") !== "off"; } catch { return true; } };
if (keySwitch) {
  document.documentElement.classList.add("scripted");
  keySwitch.checked = keysAre();
  keySwitch.addEventListener("change", () => { try { localStorage.setItem("keys", keySwitch.checked ? "on" : "off"); } catch { /* not kept */ } });
}
if (keyed.length) document.addEventListener("keydown", (event) => {
  const busy = event.target.closest("input, select, textarea, [contenteditable]");
  if (busy || event.ctrlKey || event.altKey || event.metaKey || event.repeat || !keysAre()) return;
  if (keySwitch && !keySwitch.checked) return;
  const found = keyed.find((one) => one.dataset.key.split(" ").includes(event.key));
  if (!found) return;
  event.preventDefault();
  const closed = found.closest("details:not([open])");
  if (found.matches("summary")) found.parentElement.open = !found.parentElement.open;
  else if (closed) closed.open = true;
  if (found.matches("a")) found.click();
  else found.focus();
});
