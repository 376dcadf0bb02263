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
