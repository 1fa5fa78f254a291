// What saves a person time. Every page also works without it.
"use strict";

const form = document.querySelector("form[data-draft]");

// Loading a refused page again asks for it, with the draft, instead of sending the old entries once more.
if (form) history.replaceState(null, "", location.href);

// Drafts: kept on the server as one types, never data until saved.
if (form) {
  const said = document.querySelector("[data-draft-said]") || document.createElement("span");
  const who = document.querySelector("[data-user]");
  let waiting = null;
  let apart = ""; // why this page cannot save now: signed out, or somebody else's
  const post = () => fetch(form.dataset.draft, { method: "POST", body: new FormData(form), headers: { "X-Requested-With": "fetch" } });
  const keep = async () => {
    try {
      let answer = await post();
      apart = "";
      if (answer.redirected || answer.status === 403) {
        apart = await renew();
        if (apart) return say(apart, true);
        answer = await post();
      }
      if (!answer.ok) throw new Error(String(answer.status));
      const kept = new Date((await answer.json()).kept_at);
      say("Draft kept " + kept.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" }));
    } catch {
      say("Draft not kept: no connection. What you typed is still here.", true);
    }
  };
  const say = (text, loud = false) => {
    said.textContent = text;
    said.classList.toggle("lost", loud);
    if (apart === OUT) {
      const link = document.createElement("a");
      [link.href, link.target, link.textContent] = ["/admin/login/", "_blank", "Sign in"];
      said.append(" ", link);
    }
  };
  // The token of a page ends with its session. A new one is taken from the page itself, if it is still this person's.
  const OUT = "You are signed out. What you typed is still here: sign in beside it, then save.";
  const renew = async () => {
    const answer = await fetch(location.href);
    if (answer.redirected) return OUT;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const other = page.querySelector("[data-user]");
    const token = page.querySelector("input[name=csrfmiddlewaretoken]");
    if (!other || !token) return OUT;
    if (other.dataset.user !== who.dataset.user) return other.textContent + " is signed in now. Not kept: this was begun by " + who.textContent + ".";
    for (const input of document.querySelectorAll("input[name=csrfmiddlewaretoken]")) input.value = token.value;
    return "";
  };
  form.addEventListener("input", (event) => {
    onlyOne(event.target);
    clearTimeout(waiting);
    waiting = setTimeout(keep, 800);
    progress();
  });
  window.addEventListener("pagehide", () => {
    if (waiting) navigator.sendBeacon(form.dataset.draft, new FormData(form));
  });
  // Sent only when it can be saved: a page that is signed out, or has no connection, would lose what stands in it.
  let state = "open"; // asking: whether it can be saved; going, sent: once
  form.addEventListener("submit", async (event) => {
    clearTimeout(waiting);
    waiting = null;
    if (event.submitter && event.submitter.name === "discard") return;
    if (state === "going") { state = "sent"; return; }
    event.preventDefault();
    if (state !== "open") return;
    state = "asking";
    await keep();
    state = said.classList.contains("lost") ? "open" : "going";
    if (state === "going") form.requestSubmit(event.submitter);
    else said.scrollIntoView({ block: "nearest" });
  });
  window.addEventListener("pageshow", () => { state = "open"; });
  progress();
}

// An item has an answer or a reason why not: the one that is given takes the other's place.
function onlyOne(control) {
  const item = control.closest("[data-item]");
  const reason = item && item.querySelector("input[type=radio][name^=missing-]");
  if (!reason || control.value === "") return;
  if (control.name === reason.name) {
    const answer = item.querySelector("input[type=text]");
    if (answer) answer.value = "";
  } else {
    for (const other of item.querySelectorAll("input[type=radio][name^=missing-]")) other.checked = other.value === "";
  }
}

function progress() {
  const place = document.querySelector("[data-progress]");
  if (!place) return;
  const items = [...form.querySelectorAll("[data-item]")];
  const answered = items.filter((item) => [...item.querySelectorAll("input, select")].some((i) =>
    i.type === "radio" || i.type === "checkbox" ? i.checked && i.value !== "" : i.value !== "")).length;
  place.textContent = answered + " of " + items.length;
}

// A refused save: the summary is read first, and its links lead to the fields themselves.
const errors = document.querySelector(".errors[tabindex]");
if (errors) {
  errors.focus();
  errors.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    const place = link && document.getElementById(decodeURIComponent(link.hash.slice(1)));
    const control = place && place.querySelector("input:checked, input, select, textarea");
    if (!control) return;
    event.preventDefault();
    place.scrollIntoView({ block: "center" });
    control.focus({ preventScroll: true });
  });
}

// Keys: digits choose an option, Enter goes on, Ctrl+Enter saves, N is "not done" on an empty item.
function move(from, step) {
  const stops = [...form.querySelectorAll("[data-item]")].flatMap((item) => {
    const fields = [...item.querySelectorAll("input[type=text], textarea")];
    return fields.length ? fields : [item.querySelector("input:checked, input, select")].filter(Boolean);
  });
  const item = from.closest("[data-item]");
  const exact = stops.indexOf(from);
  const here = exact >= 0 ? exact : stops.findIndex((stop) => item.contains(stop));
  const target = stops[here + step] || form.querySelector("[data-save]");
  target.focus();
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input:not([type=radio]), textarea, select");
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    const find = document.getElementById("find");
    if (find) { event.preventDefault(); find.focus(); find.select(); }
    return;
  }
  if (event.key === "?" && !typing) {
    const keys = document.getElementById("keys");
    if (keys) { event.preventDefault(); keys.open = !keys.open; keys.scrollIntoView({ block: "nearest" }); }
    return;
  }
  if (!form) return;
  const item = event.target.closest("[data-item]");
  if ((event.ctrlKey || event.metaKey) && event.key === "Enter") {
    event.preventDefault();
    form.requestSubmit(form.querySelector("[data-save]"));
  } else if (item && event.key === "Enter" && event.target.tagName !== "TEXTAREA") {
    event.preventDefault();
    move(event.target, event.shiftKey ? -1 : 1);
  } else if (item && !typing && /^[0-9]$/.test(event.key) && !event.ctrlKey && !event.altKey) {
    choose(item, event.key);
  } else if (item && event.key.toLowerCase() === "n" && (!typing || event.target.value === "") && !event.ctrlKey) {
    const missing = item.querySelector("[data-missing]");
    const reasons = missing && missing.closest("details");
    if (reasons) reasons.open = true;
    if (missing) { event.preventDefault(); missing.checked = true; missing.dispatchEvent(new Event("input", { bubbles: true })); }
  }
});

// A second digit within half a second makes a two-digit option (10).
let typed = "";
let typedAt = 0;
function choose(item, digit) {
  const now = Date.now();
  typed = now - typedAt < 500 ? typed + digit : digit;
  typedAt = now;
  const option = [...item.querySelectorAll("input[type=radio]")].find((i) => i.value === typed)
    || [...item.querySelectorAll("input[type=radio]")].find((i) => i.value === digit);
  if (option) {
    option.checked = true;
    option.focus();
    option.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

// Pages that show the progress of a job look again by themselves.
const watched = document.querySelector("[data-refresh]");
if (watched) {
  const again = async () => {
    try {
      const answer = await fetch(watched.dataset.refresh, { headers: { "X-Requested-With": "fetch" } });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector("[data-refresh]");
      if (!fresh) { location.reload(); return; }
      watched.innerHTML = fresh.innerHTML;
    } catch { /* the next round tries again */ }
    setTimeout(again, 2000);
  };
  setTimeout(again, 2000);
}

// What was sent is not sent again by a second press; a page that one comes back to can be sent anew.
document.addEventListener("submit", (event) => {
  const sent = event.target;
  if (event.defaultPrevented || sent.method !== "post") return;
  if ("sent" in sent.dataset) { event.preventDefault(); return; }
  sent.dataset.sent = "";
  setTimeout(() => { delete sent.dataset.sent; }, 5000);
});
window.addEventListener("pageshow", () => { for (const sent of document.forms) delete sent.dataset.sent; });

// What takes a while says so, and is not pressed twice.
document.addEventListener("submit", (event) => {
  const pressed = event.submitter;
  if (event.defaultPrevented || !pressed || !pressed.dataset.busy) return;
  if (pressed.getAttribute("aria-disabled") === "true") { event.preventDefault(); return; }
  pressed.setAttribute("aria-disabled", "true");
  pressed.textContent = pressed.dataset.busy;
  const bar = document.createElement("progress");
  bar.setAttribute("aria-label", pressed.dataset.busy);
  pressed.after(bar);
});

// The infusion clock.
const clock = document.querySelector("[data-clock]");
if (clock) {
  const tick = () => {
    const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(clock.dataset.clock)) / 1000));
    clock.textContent = Math.floor(seconds / 60) + ":" + String(seconds % 60).padStart(2, "0");
  };
  tick();
  setInterval(tick, 1000);
}

// On a small screen the room and the visit that are current may lie outside their strips.
for (const current of document.querySelectorAll(".rooms [aria-current], .line [aria-current]")) {
  const strip = current.closest(".rooms, .line");
  strip.scrollLeft = current.parentElement.offsetLeft - (strip.clientWidth - current.offsetWidth) / 2;
}
