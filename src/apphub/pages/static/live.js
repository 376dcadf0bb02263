// Keeps servers fresh while one of them is on its way or about to go, and the output of one that runs:
// asks for this page again and takes them out of the answer, so that there is one template and one truth.
"use strict";

(() => {
  const MOVING = "[data-state=starting], [data-state=stopping], [data-state=going]";
  const output = () => document.querySelector("[data-live-text]");
  const list = () => document.querySelector("#live");
  const changes = document.getElementById("changes");
  let wait = 2000;
  let shown;
  if (!list()) return;

  const states = (root) =>
    new Map([...root.querySelectorAll("[data-server]")].map((row) => [row.dataset.server, row]));

  // Nobody is disturbed: not a person on one of the buttons, nor one in an open question.
  const busy = () => list().contains(document.activeElement) || list().querySelector(":popover-open, [data-sent], details[open], :checked");

  function announce(before, after) {
    for (const [server, row] of after) {
      if (before.get(server)?.dataset.state !== row.dataset.state) {
        changes.textContent = row.querySelector("h1, h2, h3").textContent.replace(/\s+/g, " ").trim();
      }
    }
  }

  function follow(fresh) {
    const text = output();
    if (!text || !fresh || text.textContent === fresh.textContent) return;
    const atEnd = text.scrollHeight - text.scrollTop - text.clientHeight < 8;
    text.textContent = fresh.textContent;
    if (atEnd) text.scrollTop = text.scrollHeight;
  }

  async function refresh() {
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!answer.ok || answer.redirected) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      follow(page.querySelector("[data-live-text]"));
      const fresh = page.querySelector("#live");
      wait = 2000;
      if (!fresh || busy() || fresh.isEqualNode(shown)) return;
      shown = fresh.cloneNode(true);
      announce(states(list()), states(fresh));
      const made = document.importNode(fresh, true);
      list().replaceWith(made);
      localTimes(made);
      copyButtons(made);
    } catch {
      wait = Math.min(wait * 2, 30000);
    }
  }

  async function loop() {
    const moving = list()?.querySelector(`${MOVING}${output() ? ", [data-state=ready]" : ""}`);
    if (!document.hidden && moving) await refresh();
    setTimeout(loop, wait);
  }

  setTimeout(loop, wait);
})();
