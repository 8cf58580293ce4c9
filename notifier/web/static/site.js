// The one small script. Every page is whole without it: it shows times in the reader's zone.
"use strict";

// A translated page speaks of dates in its own language; an English one as its reader is used to.
const lang = document.documentElement.lang;
const shown = new Intl.DateTimeFormat(lang === "en" ? undefined : lang, { dateStyle: "medium", timeStyle: "short" });
const localise = (within) => {
  for (const time of within.querySelectorAll("time[datetime][title]")) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.getTime())) time.textContent = shown.format(at);
  }
};
localise(document);

// A name is checked while it is typed: the form goes to the page's own check, whose words are shown where they belong.
const typing = document.querySelector("form[data-check]");
if (typing) {
  const shownAt = typing.querySelector("[aria-live]");
  let waiting = 0;
  let turn = 0;
  const check = async () => {
    const mine = ++turn;
    const given = new URLSearchParams(new FormData(typing));
    if (!given.get("domain") && !given.get("urls")) {
      shownAt.textContent = "";
      return;
    }
    try {
      const got = await fetch(typing.dataset.check, { method: "POST", body: given });
      if (got.ok && got.headers.get("Content-Type").startsWith("application/json") && mine === turn) {
        shownAt.innerHTML = (await got.json()).html; // our own page's words, escaped there
      }
    } catch {
      // Offline, or signed out: the button says what is wrong.
    }
  };
  for (const field of typing.querySelectorAll("[data-checked]")) {
    field.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(check, 400);
    });
  }
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
// What goes on by itself is looked at again every two seconds, for as long as it says that it goes on.
const again = async () => {
  const going = document.querySelector("[data-refresh]");
  if (!going) return;
  try {
    const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
    const newer = page.getElementById(going.id);
    if (newer) {
      localise(newer);
      going.replaceWith(document.importNode(newer, true));
    }
  } catch {
    // Next time, perhaps.
  }
  setTimeout(again, 2000);
};
if (document.querySelector("[data-refresh]")) setTimeout(again, 2000);
