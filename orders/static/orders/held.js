// Held orders: ticks a whole page at once, counts what is ticked, walks over the ticks by arrow keys,
// and sends a decision once. Without this script the page does the same, with more clicks.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("held-form");
  const bar = document.getElementById("held-bar");
  if (!form || !bar) return;

  const everything = form.querySelector("[name=everything]");
  const count = document.getElementById("held-count");
  const ticks = () => [...form.querySelectorAll("input[name=order]")];

  const tell = () => {
    const chosen = ticks().filter((tick) => tick.checked).length;
    const number = chosen.toLocaleString(document.documentElement.lang || "fa");
    count.textContent = chosen ? `${number} ${count.dataset.some}` : count.dataset.none;
    everything.checked = chosen > 0 && chosen === ticks().length;
    for (const button of bar.querySelectorAll("[data-bulk]")) button.disabled = chosen === 0;
    for (const tick of ticks()) tick.closest(".held-order").classList.toggle("is-ticked", tick.checked);
  };

  form.addEventListener("change", ({ target }) => {
    if (target === everything) {
      for (const tick of ticks()) tick.checked = everything.checked;
    }
    if (target === everything || target.name === "order") tell();
  });

  form.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || event.target.name !== "order") return;
    const all = ticks();
    const next = all[all.indexOf(event.target) + step];
    if (!next) return;
    event.preventDefault();
    next.focus();
    next.closest(".held-order").scrollIntoView({ block: "nearest" });
  });

  // A double click is one decision: the second would find the order changed.
  let isSent = false;
  form.addEventListener("submit", (event) => {
    if (isSent) event.preventDefault();
    isSent = true;
    setTimeout(() => { isSent = false; }, 5000); // where the answer never came
  });
  // A page that the browser kept is shown again as it was left.
  window.addEventListener("pageshow", () => { isSent = false; tell(); });

  bar.open = window.matchMedia("(min-width: 768px)").matches;
  tell();
});
