// Choosing on the hall: by click, by dragging along a row, and by the keyboard, whose arrows go
// where the eye goes.
"use strict";

(() => {
  const { seats, hall } = seatMap;
  let anchor = null; // where a range begins
  let drag = null; // {from, isWanted, before}: the choice as it was before the drag
  let stop = null; // the one seat that the Tab key reaches

  const place = (id) => {
    const rows = hall.rows();
    const row = rows.findIndex(({ cells }) => cells.some(({ seat }) => seat.id === id));
    return { row, index: rows[row].cells.findIndex(({ seat }) => seat.id === id) };
  };

  // The seats of one row between two of them; from another row only the second.
  const between = (from, to) => {
    const [one, other] = [place(from), place(to)];
    if (one.row !== other.row) return [to];
    const [low, high] = [one.index, other.index].sort((a, b) => a - b);
    return hall.rows()[one.row].cells.slice(low, high + 1).map(({ seat }) => seat.id);
  };

  const toggle = (id) => {
    anchor = id;
    seats.choose([id], !seats.chosen.has(id));
  };

  const makeStop = (id) => {
    if (stop !== null) hall.cell(stop).tabIndex = -1;
    stop = id;
    hall.cell(id).tabIndex = 0;
  };

  const focus = (id) => hall.cell(id).focus();

  // Pointer: a mouse draws a range, a finger scrolls.

  const pick = (event) => {
    const seat = hall.seatOf(event.target);
    if (!seat) return;
    if (seat.state === "mine") {
      seatMap.tell("mine", seat);
    } else if (event.shiftKey && anchor !== null) {
      seats.choose(between(anchor, seat.id), true);
    } else {
      toggle(seat.id);
    }
  };

  const dragTo = (event) => {
    const seat = drag && hall.seatOf(event.target);
    if (!seat || (seat.id === drag.from && !drag.hasMoved)) return;
    drag.hasMoved = true;
    const wanted = new Set(between(drag.from, seat.id));
    for (const id of drag.touched) if (!wanted.has(id)) seats.choose([id], drag.before.has(id));
    seats.choose(wanted, drag.isWanted);
    drag.touched = wanted;
  };

  hall.element.addEventListener("pointerdown", (event) => {
    const seat = hall.seatOf(event.target);
    if (!seat || event.pointerType !== "mouse" || event.button || event.shiftKey) return;
    drag = {
      from: seat.id, isWanted: !seats.chosen.has(seat.id), before: new Set(seats.chosen), touched: new Set(),
      hasMoved: false,
    };
  });
  hall.element.addEventListener("pointerover", (event) => {
    const seat = hall.seatOf(event.target);
    if (seat) hall.showDetail(seat);
    dragTo(event);
  });
  document.addEventListener("pointerup", ({ target }) => {
    const ended = drag;
    drag = null;
    if (!ended?.hasMoved) return;
    anchor = ended.from;
    // The click that ends a drag on the seat where it began would undo it.
    if (hall.seatOf(target)?.id === ended.from) {
      hall.element.addEventListener("click", (event) => event.stopImmediatePropagation(), { capture: true, once: true });
    }
  });
  hall.element.addEventListener("click", pick);

  // Keyboard

  const beside = ({ row, index }, step) => hall.rows()[row].cells[index + step]?.seat.id;

  const inNextRow = ({ row, index }, step) => {
    const rows = hall.rows();
    const { column } = rows[row].cells[index];
    const near = rows[row + step]?.cells.toSorted(
      (one, other) => Math.abs(one.column - column) - Math.abs(other.column - column),
    );
    return near?.[0].seat.id;
  };

  const end = ({ row }, isLast, isWhole) => {
    const edge = isLast ? -1 : 0;
    return hall.rows().at(isWhole ? edge : row).cells.at(edge).seat.id;
  };

  const MOVES = {
    ArrowRight: (at) => beside(at, 1),
    ArrowLeft: (at) => beside(at, -1),
    ArrowDown: (at) => inNextRow(at, 1),
    ArrowUp: (at) => inNextRow(at, -1),
    Home: (at, isWhole) => end(at, false, isWhole),
    End: (at, isWhole) => end(at, true, isWhole),
  };

  const press = (event, seat) => {
    if (event.key === "Escape") {
      seats.choose([...seats.chosen], false);
    } else if (event.key === "Enter" && event.ctrlKey) {
      seatMap.tell("hold");
    } else if (event.key === " " || event.key === "Enter") {
      pick(event);
    } else if (MOVES[event.key]) {
      const next = MOVES[event.key](place(seat.id), event.ctrlKey);
      if (next === undefined) return true;
      if (event.shiftKey) seats.choose(between(seat.id, next), true);
      focus(next);
    } else {
      return false;
    }
    return true;
  };

  hall.element.addEventListener("keydown", (event) => {
    const seat = hall.seatOf(event.target);
    if (seat && !event.altKey && !event.metaKey && press(event, seat)) event.preventDefault();
  });
  hall.element.addEventListener("focusin", ({ target }) => {
    const seat = hall.seatOf(target);
    if (!seat) return;
    makeStop(seat.id);
    hall.showDetail(seat);
  });

  seatMap.hand = {
    begin: () => makeStop(hall.rows()[0].cells[0].seat.id),
    focus: () => focus(stop),
  };
})();
