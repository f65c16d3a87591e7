// The same seats as a table, for whoever would rather read than look. Made when it is first wanted.
"use strict";

(() => {
  const { seats, word, escape } = seatMap;
  const list = document.getElementById("seat-map-list");
  const MEMORY = "seat-map-view";
  let lines = null;

  const headings = () => ["choose", "seat", "section", "row-heading", "state", "price-heading"]
    .map((key) => `<th scope="col">${escape(word(key))}</th>`).join("");

  const lineHtml = (seat) =>
    `<tr data-id="${seat.id}"><td><input type="checkbox" aria-label="${escape(word("choose-seat", { seat: seat.number }))}"></td>`
    + `<th scope="row"><bdi class="code">${escape(seat.number)}</bdi></th><td>${escape(seat.section)}</td>`
    + `<td><bdi>${escape(seat.row)}</bdi></td><td data-state></td><td>${escape(seatMap.number(seat.price))}</td></tr>`;

  const inWords = (seat) =>
    [seats.describe(seat), seat.accessible && word("accessible")].filter(Boolean).join("، ");

  const update = (ids) => {
    if (!lines) return;
    for (const id of ids) {
      const seat = seats.all.get(id);
      const line = lines.get(id);
      const tick = line.querySelector("input");
      tick.checked = seats.chosen.has(id);
      tick.disabled = !tick.checked && !seats.isChoosable(seat);
      line.querySelector("[data-state]").textContent = inWords(seat);
      line.dataset.state = seats.shownState(seat);
    }
  };

  const draw = () => {
    const rows = seatMap.hall.rows().flatMap((row) => row.cells.map(({ seat }) => lineHtml(seat)));
    list.innerHTML = `<table><thead><tr>${headings()}</tr></thead><tbody>${rows.join("")}</tbody></table>`;
    lines = new Map([...list.querySelectorAll("tr[data-id]")].map((line) => [Number(line.dataset.id), line]));
    update(lines.keys());
  };

  const show = (view) => {
    if (view === "list" && !lines) draw();
    seatMap.root.dataset.view = view;
    list.hidden = view !== "list";
    seatMap.hall.element.hidden = view === "list";
    for (const button of seatMap.root.querySelectorAll("button[data-view]")) {
      button.setAttribute("aria-pressed", button.dataset.view === view);
    }
    localStorage.setItem(MEMORY, view);
  };

  list.addEventListener("change", ({ target }) =>
    seats.choose([Number(target.closest("tr").dataset.id)], target.checked));

  seatMap.list = {
    update, show,
    begin: () => {
      if (localStorage.getItem(MEMORY) === "list") show("list");
    },
  };
})();
