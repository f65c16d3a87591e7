// Keeps the column «being edited» of a list fresh: one request for the whole page, and none while
// nobody looks at it.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const PAUSE = 20000;
  const cells = document.querySelectorAll("#result_list [data-edit-lock]");
  if (!cells.length) return;
  const keys = [...cells].map((cell) => cell.dataset.editLock);
  const address = `lock/states/?ids=${keys.join(",")}`;
  const shown = new Map();
  let timer = null;
  let asked = Date.now();

  const show = (fresh) => {
    for (const cell of cells) {
      const html = fresh[cell.dataset.editLock];
      // What stays the same is left alone: somebody may be marking or hearing it.
      if (html === undefined || shown.get(cell) === html) continue;
      cell.innerHTML = html;
      shown.set(cell, html);
    }
  };

  const refresh = async () => {
    clearTimeout(timer);
    if (document.hidden) return;
    asked = Date.now();
    try {
      const answer = await fetch(address, { credentials: "same-origin", redirect: "manual" });
      // Logged out, or without the right to look: the next click tells.
      if (answer.type === "opaqueredirect" || answer.status === 403) return;
      if (answer.ok) show((await answer.json()).cells);
    } catch {
      // The office does not answer; the next turn tells.
    }
    clearTimeout(timer);
    timer = setTimeout(refresh, PAUSE);
  };

  timer = setTimeout(refresh, PAUSE);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) clearTimeout(timer);
    else if (Date.now() - asked >= PAUSE) refresh();
    else timer = setTimeout(refresh, PAUSE - (Date.now() - asked));
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) refresh();
  });
});
