// Follows a start by server-sent events: {progress, message, queue?, ready?, failed?, url?, log?}.
// The stream tells the story from its beginning each time it is opened, so a reload or a new
// connection loses nothing; what is shown already is not shown twice.
"use strict";

(() => {
  const panel = document.getElementById("pending");
  const byId = (id) => document.getElementById(id);
  const text = panel.dataset;
  text.scripted = "yes";
  const bar = byId("bar");
  const log = byId("log");
  const tail = byId("tail");
  const began = performance.now() - Number(text.elapsed) * 1000;
  const told = new Set([...log.children].map((line) => line.textContent));
  let stream;
  let over = false;

  function clock() {
    const seconds = Math.floor((performance.now() - began) / 1000);
    byId("elapsed").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }

  function advance(progress) {
    if (!(progress >= 0 && progress <= 100)) return;
    bar.value = Math.max(bar.value, progress);
    bar.textContent = `${bar.value} %`;
    for (const step of document.querySelectorAll(".phases li")) {
      const done = bar.value >= Number(step.dataset.next) || (bar.value >= 100 && step.dataset.at === "100");
      const current = !done && bar.value >= Number(step.dataset.at);
      step.classList.toggle("done", done);
      if (current) step.setAttribute("aria-current", "step");
      else step.removeAttribute("aria-current");
    }
  }

  function say(message) {
    if (!message || told.has(message)) return;
    told.add(message);
    const line = document.createElement("li");
    line.textContent = message;
    log.append(line);
  }

  // Where it stands in the line, in one place; null once it has been let in.
  function stand(queue) {
    byId("queue").hidden = !queue;
    if (!queue) return;
    const words = queue.estimate === null ? text.place : text.placeAbout;
    byId("place").textContent = words
      .replace("{position}", queue.position)
      .replace("{estimate}", queue.estimate);
    byId("waits-for").textContent = queue.waits_for;
  }

  function output(lines) {
    const atEnd = tail.scrollHeight - tail.scrollTop - tail.clientHeight < 8;
    tail.textContent = lines;
    byId("output").hidden = false;
    if (atEnd) tail.scrollTop = tail.scrollHeight;
  }

  function finish() {
    over = true;
    stream.close();
    clearInterval(ticking);
    byId("cancel").hidden = true;
  }

  // Only a path on this host is followed, whatever the event says.
  function open(url) {
    const target = new URL(url || "", location.href);
    if (target.origin !== location.origin || !/^\/(?![/\\])/.test(url)) return location.assign(location.href);
    return location.replace(target.href);
  }

  // The whole reason, without the output that it quotes where that is shown below.
  function failure(reason) {
    const [sentence, ...rest] = reason.split("\n");
    const quoted = rest.join("\n").trim();
    return quoted && tail.textContent.includes(quoted) ? sentence : reason;
  }

  function fail(reason) {
    finish();
    byId("title").textContent = text.failed;
    for (const id of ["running", "clock", "aside", "queue"]) byId(id).hidden = true;
    byId("reason").textContent = failure(reason || text.failed);
    byId("failed").hidden = false;
    byId("again").hidden = false;
    byId("help").hidden = false;
    if (tail.textContent) byId("output").open = true;
    advise();
  }

  // What may help is said by the page that the hub now has of this server.
  async function advise() {
    try {
      const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
      const advice = page.querySelector(".advice");
      if (advice) byId("failed").append(document.importNode(advice, true));
    } catch {
      // The reason stands without it.
    }
  }

  function hear(data) {
    let event;
    try {
      event = JSON.parse(data);
    } catch {
      return;
    }
    if (event.log) output(event.log);
    if (event.failed) return fail(event.message);
    if (event.queue) return stand(event.queue);
    if (event.progress > 0) stand(null);
    advance(event.progress);
    say(event.message);
    if (event.ready) {
      finish();
      say(text.ready);
      open(event.url);
    }
  }

  function lost(yes) {
    const note = byId("connection");
    note.hidden = !yes;
    note.textContent = yes ? text.lost : "";
  }

  function follow() {
    stream = new EventSource(text.events);
    stream.onopen = () => lost(false);
    stream.onmessage = (event) => hear(event.data);
    stream.onerror = () => {
      if (over) return;
      lost(true);
      // The browser reconnects by itself after a broken connection, but not after a refusal: then the
      // start is over or the person signed out, and the page itself knows where to go.
      if (stream.readyState === EventSource.CLOSED) reloadOnceThere();
    };
  }

  const ticking = setInterval(clock, 1000);
  clock();
  follow();
})();
