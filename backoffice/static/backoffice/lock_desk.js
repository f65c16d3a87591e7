// The lock desk keeps itself fresh while somebody looks at it and has nothing begun, and ticks a
// whole page at once. Without this script it is a page that one reloads.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("lock-desk");
  const filter = document.getElementById("lock-desk-filter");
  const note = document.getElementById("lock-desk-note");
  if (!form) return;

  const PERIOD = 20000;
  const part = () => document.getElementById("lock-desk-now");
  const ticks = () => [...form.querySelectorAll("input[name=claim]")];
  let timer = null;

  const offerTickAll = () => {
    const all = form.querySelector("[data-tick-all]");
    if (all) all.hidden = ticks().length === 0;
  };

  form.addEventListener("change", ({ target }) => {
    if (target.matches("[data-tick-all]")) {
      for (const tick of ticks()) tick.checked = target.checked;
    } else if (target.name === "claim") {
      form.querySelector("[data-tick-all]").checked = ticks().every((tick) => tick.checked);
    }
  });

  // What somebody has begun is not taken from under their hands.
  const isBusy = () =>
    document.hidden ||
    form.querySelector("input:checked") !== null ||
    part().contains(document.activeElement) ||
    filter.contains(document.activeElement) ||
    [...filter.querySelectorAll("input[type=text]")].some((input) => input.value !== input.defaultValue) ||
    [...filter.querySelectorAll("option")].some((option) => option.selected && !isShown(option));

  const isShown = (option) =>
    option.defaultSelected || (option.value === "" && !option.parentElement.querySelector("[selected]"));

  const show = (html) => {
    const table = () => part().querySelector(".lock-desk-table");
    const [top, left, inside] = [window.scrollY, window.scrollX, table()?.scrollLeft ?? 0];
    part().outerHTML = html;
    offerTickAll();
    if (table()) table().scrollLeft = inside;
    window.scrollTo(left, top);
    const time = new Date().toLocaleTimeString(document.documentElement.lang || "fa");
    note.textContent = `${form.dataset.refreshed} ${time}`;
  };

  const refresh = async () => {
    if (isBusy()) return;
    let answer;
    try {
      answer = await fetch(location.href, {
        credentials: "same-origin", redirect: "manual", headers: { "X-Refresh": "yes" },
      });
    } catch {
      note.textContent = form.dataset.offline;
      return;
    }
    if (answer.type === "opaqueredirect" || answer.status === 403) {
      note.textContent = form.dataset.sessionOver;
      clearInterval(timer);
    } else if (!answer.ok) {
      note.textContent = form.dataset.offline;
    } else {
      const html = await answer.text();
      if (!isBusy()) show(html);
    }
  };

  offerTickAll();
  timer = setInterval(refresh, PERIOD);
  document.addEventListener("visibilitychange", refresh);
});
