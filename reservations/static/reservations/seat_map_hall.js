// The hall as it stands, drawn once: the stage on top, position 1 on the left. Later only seats
// that changed are touched, so that focus and scroll stay where they are.
"use strict";

(() => {
  const { seats, word, escape } = seatMap;
  const hall = document.getElementById("seat-map-hall");
  const detail = document.getElementById("seat-map-detail");
  const ZOOMS = [0.75, 1, 1.3, 1.7, 2.2];
  const FLASH = 2600;
  let cells = new Map();
  let rows = [];
  let shown = null; // the seat whose details are read
  let read = "";
  let zoom = 1;

  // Sections whose seats would stand on one another are drawn one behind the other.
  const blocks = () => {
    const sections = Map.groupBy(seats.all.values(), (seat) => seat.section);
    const found = [];
    for (const members of sections.values()) {
      const places = new Set(members.map((seat) => `${seat.rowPosition} ${seat.position}`));
      const last = found.at(-1);
      if (last && ![...places].some((place) => last.places.has(place))) {
        last.members.push(...members);
        for (const place of places) last.places.add(place);
      } else {
        found.push({ members: [...members], places });
      }
    }
    return found.map((block) => block.members);
  };

  // Of seats without a place of their own each stands on the next one that is free.
  const place = (members, first) => {
    const used = new Set();
    return members.toSorted((one, other) => one.position - other.position).map((seat) => {
      let column = seat.position - first + 1;
      while (used.has(column)) column += 1;
      used.add(column);
      return { seat, column };
    });
  };

  const arrange = () => {
    const first = Math.min(...[...seats.all.values()].map((seat) => seat.position));
    return blocks().flatMap((members) =>
      [...Map.groupBy(members, (seat) => `${seat.rowPosition} ${seat.row}`).values()]
        .sort(([one], [other]) => one.rowPosition - other.rowPosition)
        .map((row) => ({ name: row[0].row, cells: place(row, first) })));
  };

  const label = (seat) => {
    const says = [seat.number, seat.section, seats.describe(seat)];
    if (seat.accessible) says.push(word("accessible"));
    says.push(word("price", { price: seatMap.number(seat.price) }));
    return says.filter(Boolean).join("، ");
  };

  // Beside the name of its row a seat needs no more than its own number.
  const short = (seat) =>
    seat.row && seat.number.startsWith(seat.row) && seat.number.length > seat.row.length
      ? seat.number.slice(seat.row.length).replace(/^[-\s]+/, "") : seat.number;

  const cellHtml = ({ seat, column }) =>
    `<div role="gridcell" class="seat${seat.accessible ? " is-accessible" : ""}" data-id="${seat.id}"`
    + ` data-state="free" aria-selected="false" aria-label="${escape(label(seat))}" tabindex="-1"`
    + ` style="grid-column:${column + 1}">${escape(short(seat))}</div>`;

  const headingHtml = (row) => {
    const parts = Map.groupBy(row.cells, ({ seat }) => seat.section);
    const names = [...parts].map(([name, [from, ...others]]) =>
      `<span style="grid-column:${from.column + 1}/${(others.at(-1) ?? from).column + 2}">${escape(name)}</span>`);
    return `<div class="seat-map-section" aria-hidden="true">${names.join("")}</div>`;
  };

  const rowHtml = (row) =>
    `<div role="row" class="seat-map-row"><div role="rowheader"><bdi>${escape(row.name)}</bdi></div>`
    + row.cells.map(cellHtml).join("")
    + `<div class="seat-map-end" aria-hidden="true"><bdi>${escape(row.name)}</bdi></div></div>`;

  const draw = () => {
    performance.mark("seat-map-begun");
    rows = arrange();
    const columns = Math.max(...rows.map((row) => row.cells.at(-1).column));
    let sections = "";
    const html = rows.map((row) => {
      const now = [...new Set(row.cells.map(({ seat }) => seat.section))].join("\n");
      const heading = now.trim() && now !== sections ? headingHtml(row) : "";
      sections = now;
      return heading + rowHtml(row);
    });
    hall.style.setProperty("--columns", columns);
    hall.innerHTML = `<div class="seat-map-floor"><div class="seat-map-stage" lang="fa">${escape(word("stage"))}</div>`
      + `<div role="grid" aria-multiselectable="true" aria-label="${escape(word("hall"))}"`
      + ` aria-describedby="seat-map-help">${html.join("")}</div></div>`;
    cells = new Map([...hall.querySelectorAll(".seat")].map((cell) => [Number(cell.dataset.id), cell]));
    hall.scrollLeft = (hall.scrollWidth - hall.clientWidth) / 2; // asks for the layout as well
    performance.measure("seat-map-drawn", { start: "seat-map-begun" });
  };

  const update = (ids) => {
    for (const id of ids) {
      const [seat, cell] = [seats.all.get(id), cells.get(id)];
      const state = seats.shownState(seat);
      cell.dataset.state = state;
      cell.setAttribute("aria-selected", state === "chosen");
      cell.toggleAttribute("data-fixed", state !== "chosen" && !seats.isChoosable(seat));
      cell.setAttribute("aria-label", label(seat));
    }
  };

  const showDetail = (seat = shown) => {
    shown = seat;
    if (!seat) return;
    const says = [seats.describe(seat)];
    if (seat.until !== null) {
      const left = seats.secondsLeft(seat.until);
      says.push(left ? word("left", { time: seatMap.clock(left) }) : word("checking"));
    }
    const where = [seat.section, seat.row && word("row", { row: seat.row })].filter(Boolean).join("، ");
    const more = [where, ...says, word("price", { price: seatMap.number(seat.price) })];
    if (seat.accessible) more.push(word("accessible"));
    const html = `<b><bdi>${escape(seat.number)}</bdi></b> ${more.filter(Boolean).map(escape).join(" · ")}`;
    if (html === read) return;
    read = html;
    detail.innerHTML = html;
    detail.dataset.state = seats.shownState(seat);
  };

  const flash = (ids) => {
    for (const id of ids) {
      const cell = cells.get(id);
      if (!cell) continue;
      cell.classList.add("is-flashing");
      setTimeout(() => cell.classList.remove("is-flashing"), FLASH);
    }
  };

  const zoomBy = (steps) => {
    zoom = Math.min(ZOOMS.length - 1, Math.max(0, zoom + steps));
    hall.style.setProperty("--zoom", ZOOMS[zoom]);
  };

  seatMap.hall = {
    element: hall, draw, update, flash, showDetail, zoomBy,
    rows: () => rows,
    cell: (id) => cells.get(id),
    seatOf: (node) => seats.all.get(Number(node.closest?.(".seat")?.dataset.id)),
  };
})();
