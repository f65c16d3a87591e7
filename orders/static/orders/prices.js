// Under the field for a provider's number: what that provider sells, by whatever is typed there.
// The field stays a text, as a number can be typed for a provider that has no list.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const PAUSE = 200; // after a key, before it is sought
  const FIELD = "input[data-suggestions]";
  const list = document.createElement("ul");
  list.id = "price-suggestions";
  list.className = "price-suggestions";
  list.setAttribute("role", "listbox");
  list.hidden = true;
  document.body.append(list);
  let field = null;
  let timer = null;
  let asked = null;

  const close = () => {
    clearTimeout(timer);
    asked?.abort();
    list.hidden = true;
    field?.setAttribute("aria-expanded", "false");
    field?.removeAttribute("aria-activedescendant");
    field = null;
  };

  const place = () => {
    const box = field.getBoundingClientRect();
    const width = list.offsetWidth;
    const start = getComputedStyle(field.closest("[dir]") ?? field).direction === "rtl"
      || document.documentElement.dir === "rtl" ? box.right - width : box.left;
    const most = document.documentElement.clientWidth - width - 8;
    list.style.left = `${Math.max(8, Math.min(start, most)) + window.scrollX}px`;
    // Over the field where the bar with the buttons would cover it.
    const fits = box.bottom + list.offsetHeight + 80 < window.innerHeight;
    const top = fits || box.top < list.offsetHeight ? box.bottom + 2 : box.top - list.offsetHeight - 2;
    list.style.top = `${top + window.scrollY}px`;
  };

  const part = (name, text, dir) => {
    const element = document.createElement(name);
    element.textContent = text;
    if (dir) element.dir = dir;
    return element;
  };

  const option = (listing, place) => {
    const item = document.createElement("li");
    item.id = `price-suggestion-${place}`;
    item.setAttribute("role", "option");
    item.setAttribute("aria-selected", "false");
    item.dataset.number = listing.number;
    const name = part("bdi", listing.name);
    if (listing.more) name.append(document.createElement("br"), part("small", listing.more));
    const number = part("bdi", listing.number, "ltr");
    number.className = "code";
    item.append(name, part("span", listing.cost), number);
    return item;
  };

  const show = (listings) => {
    const none = part("li", field.dataset.nothing);
    none.className = "price-none";
    list.setAttribute("aria-label", field.dataset.label);
    list.replaceChildren(...(listings.length ? listings.map(option) : [none]));
    list.hidden = false;
    field.setAttribute("aria-expanded", "true");
    field.removeAttribute("aria-activedescendant");
    place();
  };

  const seek = async () => {
    const row = document.getElementById(field.id.replace(/provider_package_id$/, "integration"));
    if (!row?.value) return close();
    asked?.abort();
    asked = new AbortController();
    const of = field;
    const query = new URLSearchParams({ integration: row.value, term: field.value });
    try {
      const answer = await fetch(`${field.dataset.suggestions}?${query}`, {
        credentials: "same-origin", redirect: "error", signal: asked.signal,
      });
      if (answer.ok && of === field) show((await answer.json()).listings);
    } catch { /* the number can still be typed */ }
  };

  const soon = (input) => {
    clearTimeout(timer);
    field = input;
    timer = setTimeout(seek, PAUSE);
  };

  const chosen = () => list.querySelector("[aria-selected=true]");

  const mark = (item) => {
    chosen()?.setAttribute("aria-selected", "false");
    item.setAttribute("aria-selected", "true");
    item.scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", item.id);
  };

  const choose = (item) => {
    const input = field;
    close();
    input.value = item.dataset.number;
    input.dispatchEvent(new Event("input", { bubbles: true }));
    clearTimeout(timer); // that was no key
    input.dispatchEvent(new Event("change", { bubbles: true }));
  };

  document.addEventListener("input", (event) => {
    if (event.target.matches(FIELD)) soon(event.target);
  });

  document.addEventListener("keydown", (event) => {
    if (!event.target.matches?.(FIELD)) return;
    const items = [...list.querySelectorAll("[role=option]")];
    const open = !list.hidden && items.length > 0;
    if (event.key === "ArrowDown" && !open) {
      event.preventDefault();
      soon(event.target);
    } else if (event.key === "ArrowDown" || (event.key === "ArrowUp" && open)) {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      const at = items.indexOf(chosen());
      mark(items[at < 0 && step < 0 ? items.length - 1 : (at + step + items.length) % items.length]);
    } else if (event.key === "Enter" && open && chosen()) {
      event.preventDefault();
      choose(chosen());
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      close();
    }
  });

  list.addEventListener("mousedown", (event) => {
    event.preventDefault(); // the field keeps the focus
    const item = event.target.closest("[role=option]");
    if (item) choose(item);
  });

  document.addEventListener("focusout", (event) => { if (event.target === field) close(); });
  window.addEventListener("resize", () => { if (!list.hidden) place(); });
});
