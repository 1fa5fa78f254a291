// The participants' form: saves each answer as it is given, keeps what cannot be sent, and moves between questions.
// Every page also works without this. Nothing that tells who somebody is is kept on the device.
"use strict";

const form = document.querySelector("form[data-door]");

// ── What waits on this device ────────────────────────────────────────────────────────────────────────────
// {answers: [{key, item, value, missing, at, offset}], send: {at, offset} | null, sent: {item: {value, missing}}},
// under a name that says nothing. `sent`: what went since the page was loaded, for the copy that opens without a
// connection.
const PREFIX = "waiting:";
const shelf = {
  name: form && PREFIX + form.dataset.shelf,
  kept: { answers: [], send: null, sent: {} },
  ours: new Set(), // keys that this page made or took over
  stored() {
    try { return JSON.parse(localStorage.getItem(this.name)) || {}; } catch { return {}; /* private mode: in memory */ }
  },
  read() {
    Object.assign(this.kept, this.stored());
    for (const answer of this.kept.answers) this.ours.add(answer.key);
  },
  put(answer) {
    this.ours.add(answer.key);
    this.kept.answers.push(answer);
    return this.write();
  },
  write() {
    try {
      const { send, sent } = this.kept;
      // The form may be open in a second tab, whose answers wait here too.
      const answers = [...(this.stored().answers || []).filter((a) => !this.ours.has(a.key)), ...this.kept.answers];
      if (answers.length || send || Object.keys(sent).length) localStorage.setItem(this.name, JSON.stringify({ answers, send, sent }));
      else localStorage.removeItem(this.name);
      return true;
    } catch { return false; }
  },
};

const shelves = () => Object.keys(localStorage).filter((name) => name.startsWith(PREFIX));
const forget = () => { for (const name of shelves()) localStorage.removeItem(name); };
const closed = document.querySelector("[data-closed]");
if (closed) try { localStorage.removeItem(PREFIX + closed.dataset.closed); } catch { /* nothing was kept */ }
if (document.querySelector("[data-forget]")) forgetCopy();

// The copy that opens the form without a connection, and who opens it. Neither exists where there is no TLS.
async function forgetCopy() {
  try {
    for (const name of await caches.keys()) if (name.startsWith("door-")) await caches.delete(name);
    for (const worker of await navigator.serviceWorker.getRegistrations()) await worker.unregister();
  } catch { /* nothing was kept */ }
}

// Before another form takes this one's place on the device: what still waits goes first, for it cannot go later.
const beginning = document.querySelector("form[data-begin]");
if (beginning) {
  const token = beginning.elements.csrfmiddlewaretoken.value;
  const delivered = deliver(beginning.dataset.begin, token).catch(() => { /* no connection: nothing begins either */ });
  let begun = false;
  beginning.addEventListener("submit", async (event) => {
    event.preventDefault();
    // A link works once: pressed twice, the second answer would be that nothing opens here.
    if (begun) return;
    begun = true;
    await delivered;
    beginning.submit();
  });
  // Back from the form: the button works again.
  window.addEventListener("pageshow", () => { begun = false; });
}

async function deliver(where, token) {
  for (const name of shelves()) {
    const { answers, send } = JSON.parse(localStorage.getItem(name));
    const reply = answers.length || send ? await post(where, token, name.slice(PREFIX.length), answers, send) : null;
    const over = !reply || reply.ok || reply.status === 409 && (await reply.json()).code === "closed";
    if (over) localStorage.removeItem(name);
  }
}

// Which form they belong to goes along: the device may be another form's by now.
function post(where, token, of, answers, send) {
  return fetch(where, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRFToken": token },
    body: JSON.stringify({ form: of, sent_at: now().at, answers, send }),
  });
}

const leaving = document.querySelector("form[data-leave]");
if (leaving) leaving.addEventListener("submit", () => { try { forget(); } catch { /* nothing was kept */ } forgetCopy(); });

// The device's own time with its offset from UTC, as the trial keeps it.
function now() {
  const at = new Date();
  const minutes = -at.getTimezoneOffset();
  const local = new Date(at.getTime() + minutes * 60000).toISOString().slice(0, -1);
  const two = (n) => String(Math.floor(Math.abs(n))).padStart(2, "0");
  return { at: local + (minutes < 0 ? "-" : "+") + two(minutes / 60) + ":" + two(minutes % 60), offset: minutes };
}

// Not crypto.randomUUID: a clinic's network may serve the page without TLS, where it does not exist.
function key() {
  const b = crypto.getRandomValues(new Uint8Array(16));
  b[6] = (b[6] & 15) | 64;
  b[8] = (b[8] & 63) | 128;
  const hex = [...b].map((n) => n.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

if (form) {
  const said = form.dataset;
  const status = document.querySelector("[data-status]");
  const questions = [...form.querySelectorAll("[data-item]")];
  const end = form.querySelector("[data-end]");
  const [next, send, back] = ["next", "send", "back"].map((name) => form.querySelector("[data-" + name + "]"));
  const one = said.layout === "one";
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

  function say(text, kind = "") {
    status.className = "status " + kind;
    if (status.textContent !== text) status.textContent = text;
  }

  // ── Sending ────────────────────────────────────────────────────────────────────────────────────────────
  let busy = false;
  let other = false; // another form has taken this one's place on the device
  let again = null;
  let pause = 2000;

  async function flush() {
    const { answers, send: sending } = shelf.kept;
    if (busy || other || (!answers.length && !sending)) return;
    busy = true;
    clearTimeout(again);
    const batch = answers.slice(0, 100);
    const last = batch.length === answers.length;
    try {
      const token = form.elements.csrfmiddlewaretoken.value;
      const reply = await post(said.answers, token, said.shelf, batch, last ? sending : null);
      await heard(reply, batch, last && sending);
      pause = 2000;
    } catch {
      say(shelf.write() ? (sending ? said.saidSendKept : said.saidKept) : said.saidNoStore, "waits");
      again = setTimeout(flush, pause);
      pause = Math.min(pause * 2, 30000);
    } finally {
      busy = false;
    }
    if ((shelf.kept.answers.length || shelf.kept.send) && pause === 2000) await flush();
  }

  async function heard(reply, batch, sent) {
    if (reply.status >= 500) throw new Error(String(reply.status));
    const keys = new Set(batch.map((answer) => answer.key));
    const drop = () => {
      for (const { item, value, missing } of batch) shelf.kept.sent[item] = { value, missing };
      shelf.kept.answers = shelf.kept.answers.filter((answer) => !keys.has(answer.key));
      if (sent) shelf.kept.send = null;
      shelf.write();
    };
    if (reply.ok) {
      drop();
      say(said.saidSaved);
      if ((await reply.json()).sent_at) await leave();
    } else if (reply.status === 422) {
      const { problems } = await reply.json();
      // What was possible is sent again by itself; what was not stands beside its question.
      shelf.kept.answers = shelf.kept.answers.filter((answer) => !(answer.item in problems));
      shelf.kept.send = null;
      shelf.write();
      for (const [item, text] of Object.entries(problems)) item ? complain(item, text) : say(text, "wrong");
      const first = Object.keys(problems)[0];
      if (one && first) show(first);
    } else if (reply.status === 403) {
      // The page's token is too old: the answers wait on the shelf while the page is loaded again.
      if (!shelf.write() || location.hash === "#again") throw new Error("no token");
      location.hash = "#again";
      location.reload();
    } else if (reply.status === 409 && (await reply.json()).code === "other_form") {
      other = true;
      say(said.saidOther, "wrong");
    } else {
      drop();
      say(said.saidClosed, "wrong");
      if (reply.status === 409) setTimeout(leave, 4000);
    }
  }

  async function leave() {
    await forgetCopy();
    location.assign(said.done);
  }

  window.addEventListener("online", flush);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) flush(); });

  // ── Answers ────────────────────────────────────────────────────────────────────────────────────────────
  const of = (item) => form.querySelector('[data-item="' + item + '"]');

  // {value, missing, typed}; null where nothing is answered.
  function answer(question) {
    const radio = question.querySelector("input[type=radio]:checked");
    const text = question.querySelector("input[type=text]");
    const refused = question.querySelector("input[type=checkbox]:checked");
    const typed = text ? text.value.trim() : radio ? radio.value : "";
    if (typed === "refused" || (refused && !typed)) return { value: null, missing: "refused", typed: "" };
    return typed ? { value: Number(typed.replace(",", ".")), missing: null, typed } : null;
  }

  function wrong(question, given) {
    if (!given || given.missing) return "";
    const { low, high } = question.dataset;
    const whole = "whole" in question.dataset;
    const fits = given.value >= Number(low) && given.value <= Number(high) && (!whole || Number.isInteger(given.value));
    const values = { typed: given.typed.slice(0, 20), low: String(Number(low)), high: String(Number(high)) };
    return fits ? "" : fill(whole ? said.saidWhole : said.saidNumber, values);
  }

  function complain(item, text) {
    const question = of(item);
    if (!question) return;
    const place = question.querySelector("[data-message]");
    const field = question.querySelector("input[type=text]");
    place.textContent = text;
    place.hidden = !text;
    question.classList.toggle("fault", Boolean(text));
    if (text) place.setAttribute("role", "alert");
    if (field) text ? field.setAttribute("aria-invalid", "true") : field.removeAttribute("aria-invalid");
  }

  // What the form holds is what was last put on the shelf or came with the page.
  const before = new Map(questions.map((q) => [q.dataset.item, JSON.stringify(answer(q))]));

  function take(question) {
    const item = question.dataset.item;
    const given = answer(question);
    const fault = wrong(question, given);
    complain(item, fault);
    if (fault) return false;
    const text = JSON.stringify(given);
    if (text !== before.get(item)) {
      before.set(item, text);
      const row = given ? { value: given.value, missing: given.missing } : { value: null, missing: "not_answered" };
      if (!shelf.put({ key: key(), item, ...row, ...now() })) say(said.saidNoStore, "waits");
      flush();
    }
    skips();
    progress();
    return true;
  }

  form.addEventListener("change", (event) => {
    const question = event.target.closest("[data-item]");
    if (!question) return;
    const { type, checked, value } = event.target;
    // An answer takes the place of "prefer not to answer", and the other way round.
    const box = question.querySelector("input[type=checkbox]");
    const text = question.querySelector("input[type=text]");
    if (type === "checkbox" && checked && text) text.value = "";
    if (type === "text" && value.trim() && box) box.checked = false;
    take(question);
  });

  // ── Questions that are left out ────────────────────────────────────────────────────────────────────────
  const skipped = (question) => {
    if (!question.dataset.shownWhen) return false;
    const when = JSON.parse(question.dataset.shownWhen);
    return !when.any_of.some((item) => { const a = of(item) && answer(of(item)); return a && !a.missing && a.value >= when.at_least; });
  };
  const asked = () => questions.filter((question) => !skipped(question));
  const skips = () => { if (!one) for (const question of questions) question.hidden = skipped(question); };

  // ── Moving ─────────────────────────────────────────────────────────────────────────────────────────────
  let here = form.elements.here.value;

  function progress() {
    const all = asked();
    const place = all.findIndex((question) => question.dataset.item === here);
    const answered = all.filter((question) => answer(question)).length;
    const n = one && place >= 0 ? place + 1 : answered;
    const text = one && place >= 0 ? said.saidPlace : said.saidAnswered;
    document.querySelector("[data-progress]").textContent = fill(text, { n, of: all.length });
    const bar = document.querySelector("progress");
    bar.max = all.length;
    bar.value = n;
    const open = all.filter((question) => !answer(question));
    form.querySelector("[data-open]").hidden = !open.length;
    form.querySelector("[data-open-list]").replaceChildren(...open.map(leadTo));
  }

  function leadTo(question) {
    const row = document.createElement("li");
    const link = document.createElement("a");
    link.href = "#" + question.id;
    link.dataset.go = question.dataset.item;
    link.textContent = question.querySelector("legend").textContent;
    row.append(link);
    return row;
  }

  function show(item, { focus = true } = {}) {
    here = item;
    form.elements.here.value = item;
    const all = asked();
    const place = all.findIndex((question) => question.dataset.item === item);
    for (const question of questions) question.hidden = question.dataset.item !== item;
    end.hidden = place >= 0;
    next.hidden = place < 0;
    send.hidden = place >= 0;
    back.hidden = place === 0;
    progress();
    const field = place >= 0 && all[place].querySelector("input[type=text]");
    const heading = field || (place >= 0 ? all[place].querySelector("legend") : document.getElementById("end"));
    if (focus) { heading.focus({ preventScroll: true }); window.scrollTo(0, 0); }
  }

  function go(step) {
    const all = asked();
    const place = all.findIndex((question) => question.dataset.item === here);
    if (place >= 0 && !take(all[place])) {
      all[place].querySelector("input").focus();
      return;
    }
    const target = (place < 0 ? all.length : place) + step;
    show(target >= all.length ? "end" : all[Math.max(target, 0)].dataset.item);
  }

  function finish() {
    const faulty = asked().filter((question) => !take(question));
    if (faulty.length) {
      one ? show(faulty[0].dataset.item) : faulty[0].querySelector("input").focus();
      return;
    }
    shelf.kept.send = now();
    shelf.write();
    say(said.saidSaving);
    flush();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const button = event.submitter;
    if (button === back) go(-1);
    else if (button === send) finish();
    else if (one) go(1);
  });

  form.addEventListener("click", (event) => {
    const link = event.target.closest("[data-go]");
    if (!link || !one) return;
    event.preventDefault();
    show(link.dataset.go);
  });

  // Keys: digits choose, Enter goes on, Shift+Enter back. A second digit within a second makes a two-digit answer.
  let digits = "";
  let typedAt = 0;
  document.addEventListener("keydown", (event) => {
    // Before anything has focus, keys are meant for the question that is shown.
    const question = event.target === document.body ? one && of(here) : event.target.closest("[data-item]");
    if (event.key === "Enter" && question && !event.ctrlKey && event.target.tagName !== "BUTTON") {
      event.preventDefault();
      if (one) go(event.shiftKey ? -1 : 1); else if (take(question)) step(question, event.shiftKey ? -1 : 1);
    } else if (question && event.target.type !== "text" && /^[0-9]$/.test(event.key) && !event.ctrlKey && !event.altKey) {
      digits = Date.now() - typedAt < 1000 ? digits + event.key : event.key;
      typedAt = Date.now();
      const radio = (value) => question.querySelector('input[type=radio][value="' + value + '"]');
      const option = radio(digits) || radio(event.key);
      if (!option) return;
      event.preventDefault();
      option.checked = true;
      option.focus();
      option.dispatchEvent(new Event("change", { bubbles: true }));
    }
  });

  function step(question, by) {
    const all = asked();
    const other = all[all.indexOf(question) + by];
    (other ? other.querySelector("input:checked, input") : send).focus();
  }

  // ── What was not sent last time ────────────────────────────────────────────────────────────────────────
  shelf.read();
  const isCopy = "copy" in said;
  // A page from the server holds what was sent; its copy may be older than that.
  if (!isCopy) shelf.kept.sent = {};
  const sent = Object.entries(shelf.kept.sent).map(([item, answer]) => ({ item, ...answer }));
  for (const waiting of [...sent, ...shelf.kept.answers]) {
    const question = of(waiting.item);
    if (!question) continue;
    const value = waiting.missing === "refused" ? "refused" : waiting.value === null ? "" : String(waiting.value);
    const text = question.querySelector("input[type=text]");
    const box = question.querySelector("input[type=checkbox]");
    if (text) { text.value = value === "refused" ? "" : value; box.checked = value === "refused"; }
    else for (const radio of question.querySelectorAll("input[type=radio]")) radio.checked = radio.value === value;
    before.set(waiting.item, JSON.stringify(answer(question)));
  }
  skips();
  const wanted = new URLSearchParams(location.search).get("q");
  if (isCopy && wanted) here = wanted;
  if ((shelf.kept.answers.length || isCopy) && !wanted) {
    const open = asked().find((question) => !answer(question));
    here = open ? open.dataset.item : "end";
  }
  if (one) show(here === "end" || of(here) ? here : questions[0].dataset.item, { focus: Boolean(wanted) });
  else progress();
  if (isCopy) say(said.saidCopy, "waits");
  flush();
  if (navigator.serviceWorker) navigator.serviceWorker.register(said.worker).catch(() => { /* works without */ });
}
