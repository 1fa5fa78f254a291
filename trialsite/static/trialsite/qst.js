// QST: what is typed is computed by the server, with the functions that are used when it is saved, and shown beside it.
"use strict";

const session = document.querySelector("form[data-compute]");
if (session) {
  let waiting = null;
  let asked = 0;
  const look = async () => {
    const turn = ++asked;
    try {
      const answer = await fetch(session.dataset.compute, {
        method: "POST", body: new FormData(session), headers: { "X-Requested-With": "fetch" },
      });
      // A slower answer to an earlier state of the form is late: the newer one is on its way.
      if (answer.ok && turn === asked) show(await answer.json());
    } catch { /* the draft says that there is no connection; Save computes again */ }
  };
  session.addEventListener("input", (event) => {
    if (event.target.name.startsWith("comment.")) return;
    clearTimeout(waiting);
    waiting = setTimeout(look, 500);
  });
}

function show(seen) {
  for (const place of session.querySelectorAll("[data-value]")) place.textContent = seen.values[place.dataset.value] || "";
  faults(seen.faults);
  for (const place of session.querySelectorAll("[data-questions]")) {
    questions(place, seen.questions.filter((question) => question.place === place.dataset.questions));
  }
  document.querySelector("[data-computed]").innerHTML = seen.computed;
}

// What no device can have shown is told at once; the entry itself stays as it was typed.
function faults(found) {
  for (const field of session.querySelectorAll("input[inputmode=decimal]")) {
    if (found[field.name]) field.setAttribute("aria-invalid", "true"); else field.removeAttribute("aria-invalid");
  }
  for (const place of session.querySelectorAll("[data-faults]")) {
    const said = Object.entries(found).filter(([name]) => name.startsWith(place.dataset.faults + "."));
    place.replaceChildren(...said.map(([, message]) => {
      const line = document.createElement("span");
      line.className = "message bad";
      line.textContent = message;
      return line;
    }));
  }
}

// A question that is there already keeps its answer and its focus; only its words may have changed.
function questions(place, wanted) {
  const there = new Map([...place.children].map((line) => [line.dataset.question, line]));
  for (const question of wanted) {
    const parsed = new DOMParser().parseFromString(question.html, "text/html").body.firstElementChild;
    const known = there.get(question.name);
    if (known) known.querySelector("[data-message]").textContent = parsed.querySelector("[data-message]").textContent;
    else place.append(parsed);
    there.delete(question.name);
  }
  for (const gone of there.values()) gone.remove();
}
