// Comforts of the administrators' pages; without this script they do all they must.
"use strict";

// data-load="id": put a chosen file into a field. The file goes nowhere else.
for (const part of document.querySelectorAll("[data-load]")) {
  part.hidden = false;
  part.querySelector("input").addEventListener("change", async (event) => {
    const file = event.target.files[0];
    if (!file) return;
    const field = document.getElementById(part.dataset.load);
    field.value = await file.text();
    field.focus();
  });
}

// data-verdict="id": while one types, the form is sent as its button "check" would send it, and the part
// of the answer with this id is shown in place of the one that is there.
for (const form of document.querySelectorAll("form[data-verdict]")) {
  let waiting = 0;
  let turn = 0;
  const check = async () => {
    const mine = ++turn;
    const fields = new URLSearchParams(new FormData(form));
    fields.set("do", "check");
    try {
      const answer = await fetch(form.action, { method: "POST", body: fields, headers: { Accept: "text/html" } });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById(form.dataset.verdict);
      if (fresh && mine === turn) document.getElementById(form.dataset.verdict).replaceChildren(...fresh.childNodes);
    } catch {
      // The next key tries again.
    }
  };
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(check, 400);
  });
}
