// What the page knows of the seats: the plan, the last state that the server told, and the choice
// of whoever sits here. A seat is painted free because the server said so, never by a clock here.
"use strict";

(() => {
  const FIELDS = ["id", "number", "section", "row", "rowPosition", "position", "price", "accessible"];
  const FREE = { state: "free", until: null, holder: "", note: "", hold: "" };
  const seats = new Map();
  for (const values of seatMap.plan.seats) {
    const seat = Object.fromEntries(FIELDS.map((name, index) => [name, values[index]]));
    seats.set(seat.id, Object.assign(seat, FREE));
  }
  const chosen = new Set();
  let taken = new Set(); // seats that are not free
  let serverTime = null; // {instant, at}: the database's clock, and this page's when it was told

  // The time by the database's clock, as far as it can be known here.
  const now = () => (serverTime ? serverTime.instant + performance.now() - serverTime.at : Date.now());

  const secondsLeft = (until) => Math.max(0, Math.ceil((until - now()) / 1000));

  const shownState = (seat) => (chosen.has(seat.id) ? "chosen" : seat.state);

  const isChoosable = (seat) =>
    seat.state === "free" || (seat.state === "blocked" && seatMap.settings.permissions.change);

  const told = ([id, state, until, holder, note, hold]) => [id, {
    state: state === "locked" ? (hold ? "mine" : "held") : state, until, holder, note, hold: hold ?? "",
  }];

  const differs = (seat, next) =>
    Object.keys(FREE).some((name) => seat[name] !== next[name]);

  // Take over what the server told; return the ids of the seats that changed.
  const apply = (state) => {
    serverTime = { instant: state.now, at: performance.now() };
    const next = new Map(state.seats.map(told));
    const changed = new Set();
    const lost = [];
    for (const id of new Set([...taken, ...next.keys()])) {
      const seat = seats.get(id);
      const values = next.get(id) ?? FREE;
      if (!seat || !differs(seat, values)) continue;
      if (chosen.has(id) && seat.state !== values.state) {
        chosen.delete(id);
        lost.push(seat);
      }
      Object.assign(seat, values);
      changed.add(id);
    }
    taken = new Set(next.keys());
    return { changed, lost };
  };

  // Choose seats, or drop them; those that can't be chosen are left out.
  const choose = (ids, isWanted) => {
    const changed = new Set();
    for (const id of ids) {
      if (isWanted === chosen.has(id)) continue;
      if (isWanted && !isChoosable(seats.get(id))) continue;
      if (isWanted) chosen.add(id);
      else chosen.delete(id);
      changed.add(id);
    }
    if (changed.size) seatMap.tell("choice", changed);
  };

  const inOrder = (ids) =>
    [...seats.keys()].filter((id) => ids.has(id)).map((id) => seats.get(id));

  const describe = (seat) => {
    const says = [seatMap.word(shownState(seat))];
    if (seat.state === "held") says[0] = seatMap.word("held-by", { holder: seat.holder });
    if (seat.note) {
      says.push(seat.state === "reserved" ? seatMap.word("reference", { note: seat.note }) : seat.note);
    }
    return says.join("، ");
  };

  const counts = () => {
    const found = { free: seats.size, chosen: chosen.size, mine: 0, held: 0, reserved: 0, blocked: 0, accessible: 0 };
    for (const id of taken) {
      const seat = seats.get(id);
      if (!seat) continue;
      found[seat.state] += 1;
      found.free -= 1;
    }
    for (const seat of seats.values()) if (seat.accessible && seat.state === "free") found.accessible += 1;
    return found;
  };

  seatMap.seats = {
    all: seats, chosen, apply, choose, secondsLeft, shownState, isChoosable, inOrder, describe, counts, now,
    numbers: (list) => list.map((seat) => seat.number).join(", "),
    price: (list) => list.reduce((sum, seat) => sum + seat.price, 0),
  };
})();
