// Small comforts of every page. Each works on elements that ask for it by a data attribute;
// without this script the pages do all they must.
"use strict";

const byId = (id) => document.getElementById(id);

// data-once: a form is sent once, however often its button is pressed.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || !form.matches("form[data-once]")) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  form.setAttribute("aria-busy", "true");
});

// A page brought back by the Back button may send its forms again.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    form.removeAttribute("aria-busy");
  }
});

// data-reveal="id id": show and hide passwords. Hidden again before they are sent, so that
// browsers offer to keep them and never remember them as ordinary text.
for (const button of document.querySelectorAll("[data-reveal]")) {
  const inputs = button.dataset.reveal.split(" ").map(byId);
  const show = (visible) => {
    for (const input of inputs) input.type = visible ? "text" : "password";
    button.setAttribute("aria-pressed", String(visible));
  };
  button.hidden = false;
  button.addEventListener("click", () => show(button.getAttribute("aria-pressed") !== "true"));
  button.form.addEventListener("submit", () => show(false));
}

// data-at: a moment in the visitor's own time zone; titles of relative times too.
function localTimes(root) {
  const style = { dateStyle: "medium", timeStyle: "short" };
  const words = new Intl.DateTimeFormat(document.documentElement.lang, style);
  const exact = new Intl.DateTimeFormat(document.documentElement.lang, { ...style, timeStyle: "long" });
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.valueOf())) continue;
    time.title = exact.format(moment);
    if ("at" in time.dataset) time.textContent = words.format(moment);
  }
}
localTimes(document);

// A menu closes when one goes elsewhere or presses Escape.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll(".menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.activeElement?.closest(".menu[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

// data-copy-text: copy what the button holds; only where there is a clipboard.
function copyButtons(root) {
  for (const button of root.querySelectorAll("[data-copy-text]")) {
    if (!navigator.clipboard) continue;
    const label = button.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copyText);
      button.textContent = button.dataset.done;
      setTimeout(() => (button.textContent = label), 2000);
    });
  }
}
copyButtons(document);

// Load the page again once the hub answers.
function reloadOnceThere() {
  let wait = 1000;
  async function look() {
    try {
      const answer = await fetch(location.href);
      if (answer.status < 500) return location.reload();
    } catch {
      // Still away.
    }
    wait = Math.min(wait * 2, 15000);
    setTimeout(look, wait);
  }
  setTimeout(look, wait);
}

// data-needs-script: a page whose own script did not arrive, because the hub went away just then.
window.addEventListener("load", () => {
  const page = document.querySelector("[data-needs-script]");
  if (page && !page.dataset.scripted) reloadOnceThere();
});

// data-check="path": what is wrong with a form is told while it is filled in, by the hub's own rules.
for (const form of document.querySelectorAll("form[data-check]")) {
  const all = form.querySelector("[data-problems]");
  let timer;
  let last = 0;
  const fieldOf = (name) => name && [...form.elements].filter((one) => one.name === name && one.type !== "hidden")[0];
  function tell(problems) {
    for (const old of form.querySelectorAll("[data-told]")) old.remove();
    for (const field of form.querySelectorAll("[data-wrong]")) {
      field.removeAttribute("aria-invalid");
      delete field.dataset.wrong;
    }
    const rest = [];
    for (const { field: name, message } of problems) {
      const field = fieldOf(name);
      if (!field) {
        rest.push(message);
        continue;
      }
      if (field.dataset.touched === undefined) continue;
      field.setAttribute("aria-invalid", "true");
      field.dataset.wrong = "yes";
      const line = document.createElement("p");
      line.className = "wrong";
      line.dataset.told = "yes";
      line.setAttribute("role", "status");
      line.textContent = message;
      field.closest(".field").append(line);
    }
    all.textContent = rest.join(" ");
  }
  async function check() {
    const turn = ++last;
    try {
      const answer = await fetch(form.dataset.check, { method: "POST", body: new URLSearchParams(new FormData(form)) });
      if (answer.ok && turn === last) tell((await answer.json()).problems);
    } catch {
      // Sending the form tells the same.
    }
  }
  form.addEventListener("input", (event) => {
    event.target.dataset.touched = "yes";
    clearTimeout(timer);
    timer = setTimeout(check, 400);
  });
}

// data-copy="id": copy a field. The clipboard exists only on https and localhost; elsewhere the
// field is selected, ready for the keyboard.
for (const button of document.querySelectorAll("[data-copy]")) {
  const field = byId(button.dataset.copy);
  const label = button.textContent;
  button.hidden = false;
  button.setAttribute("aria-live", "polite");
  button.addEventListener("click", async () => {
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      return;
    }
    button.textContent = button.dataset.done;
    setTimeout(() => (button.textContent = label), 2000);
  });
}
