// Keeps a list of servers fresh while one of them is on its way: asks for this page again and
// takes the list out of the answer, so that there is one template and one truth.
"use strict";

(() => {
  const MOVING = "[data-state=starting], [data-state=stopping]";
  const list = () => document.querySelector("#live");
  const changes = document.getElementById("changes");
  let wait = 2000;

  const states = (root) =>
    new Map([...root.querySelectorAll("[data-server]")].map((row) => [row.dataset.server, row]));

  // Nobody is disturbed: not a person on one of the buttons, nor one in an open question.
  const busy = () => list().contains(document.activeElement) || list().querySelector(":popover-open, [data-sent]");

  function announce(before, after) {
    for (const [server, row] of after) {
      if (before.get(server)?.dataset.state !== row.dataset.state) {
        changes.textContent = row.querySelector("h3").textContent.replace(/\s+/g, " ").trim();
      }
    }
  }

  async function refresh() {
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!answer.ok || answer.redirected) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("#live");
      if (!fresh || busy()) return;
      announce(states(list()), states(fresh));
      list().replaceWith(document.importNode(fresh, true));
      wait = 2000;
    } catch {
      wait = Math.min(wait * 2, 30000);
    }
  }

  async function loop() {
    if (!document.hidden && list()?.querySelector(MOVING)) await refresh();
    setTimeout(loop, wait);
  }

  setTimeout(loop, wait);
})();
