// Opens the form that is begun on this device while there is no connection (docs/self-completion.md, "Without a
// connection"). Keeps the page of that one form, its style and its script; nothing of any other page, and no link.
"use strict";

const KEPT = "door-{{ version }}";
const FORM = "{% url 'participant_door:form' %}";
const OFFLINE = "{% url 'participant_door:offline' %}";
// After these nothing of a form is left on the device.
const ENDS = ["{% url 'participant_door:done' %}", "{% url 'participant_door:leave' %}"];
const SHELL = {{ shell|safe }};
const PATIENCE = 6000; // milliseconds: a connection that does not answer is no connection

// The form as the server shows it now. Closed, it is answered by a redirect: then there is none to keep.
async function keep(reply) {
  const kept = await caches.open(KEPT);
  if (reply.ok && !reply.redirected) await kept.put(FORM, reply);
  else if (reply.status < 500) await kept.delete(FORM);
}

const copy = async (path) => (await caches.open(KEPT)).match(path);

self.addEventListener("install", (event) => {
  event.waitUntil((async () => {
    const kept = await caches.open(KEPT);
    await kept.addAll([...SHELL, OFFLINE]);
    await keep(await fetch(FORM));
    await self.skipWaiting();
  })());
});

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) if (name.startsWith("door-") && name !== KEPT) await caches.delete(name);
    await self.clients.claim();
  })());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (origin !== location.origin || request.method !== "GET" && request.mode !== "navigate") return;
  if (request.mode === "navigate") event.respondWith(page(event, pathname));
  else if (SHELL.includes(pathname)) event.respondWith(part(event, pathname));
});

async function page(event, pathname) {
  const ofForm = pathname === FORM && event.request.method === "GET";
  if (ENDS.includes(pathname)) await (await caches.open(KEPT)).delete(FORM);
  try {
    const reply = await answered(event.request, ofForm);
    if (ofForm) event.waitUntil(keep(reply.clone()));
    return reply;
  } catch {
    return (ofForm && await formHere()) || copy(OFFLINE);
  }
}

// Only for the form there is something better than waiting.
async function answered(request, ofForm) {
  if (!ofForm || !(await copy(FORM))) return fetch(request);
  let clock;
  const late = new Promise((_, refuse) => { clock = setTimeout(refuse, PATIENCE); });
  try { return await Promise.race([fetch(request), late]); } finally { clearTimeout(clock); }
}

async function part(event, pathname) {
  try {
    const reply = await fetch(event.request);
    const fresh = reply.clone();
    if (reply.ok) event.waitUntil(caches.open(KEPT).then((kept) => kept.put(pathname, fresh)));
    return reply;
  } catch {
    return copy(pathname);
  }
}

// The copy says that it is one: what was answered after it was made is on the device, not in it.
async function formHere() {
  const kept = await copy(FORM);
  if (!kept) return null;
  const headers = new Headers(kept.headers);
  for (const name of ["Content-Encoding", "Content-Length"]) headers.delete(name);
  return new Response((await kept.text()).replace(" data-door ", " data-door data-copy "), { headers });
}
