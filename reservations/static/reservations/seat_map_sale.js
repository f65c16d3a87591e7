// Whoever sits here and what is on hold for them: one card a hold, with its countdown and its sale.
// A card whose hold ended stays with all that was typed, until it is sold after all or closed.
"use strict";

(() => {
  const { seats, live, panel, word, part } = seatMap;
  const section = document.getElementById("seat-map-holds");
  const place = section.querySelector("[data-holds]");
  const model = document.getElementById("seat-map-hold");
  const SOON = 60;
  const holds = new Map(); // by hold_id: {card, seats, until, isLive}

  const form = (hold) => hold.card.querySelector("form");
  const piece = (hold, selector) => hold.card.querySelector(selector);

  const note = (hold, text, lines = []) => {
    const line = piece(hold, ".seat-map-note");
    line.hidden = !text;
    line.textContent = [text, ...lines].join(" ");
  };

  const makeMethods = (card) => {
    const options = seatMap.settings.payment_methods.map(([value, label]) => {
      const option = document.createElement("label");
      const input = Object.assign(document.createElement("input"), { type: "radio", name: "payment_method", value });
      input.defaultChecked = value === "card";
      option.append(input, ` ${label}`);
      return option;
    });
    card.querySelector(".seat-map-methods").append(...options);
  };

  const open = (hold, isOpen, isMoved = false) => {
    form(hold).hidden = !isOpen;
    piece(hold, "[data-do=sell]").setAttribute("aria-expanded", isOpen);
    if (!isOpen || !isMoved) return;
    // A keyboard on the screen would cover what there is to see.
    const isTouch = matchMedia("(pointer: coarse)").matches;
    (isTouch ? hold.card : form(hold).elements.customer).focus({ preventScroll: true });
    hold.card.scrollIntoView({ block: "nearest" });
  };

  const make = (id, list, until) => {
    const card = model.content.firstElementChild.cloneNode(true);
    card.dataset.hold = id;
    const hold = { id, card, seats: list, until, isLive: true, isWarned: false };
    holds.set(id, hold);
    makeMethods(card);
    place.prepend(card);
    describe(hold);
    return hold;
  };

  const own = (seat, isAlone) => {
    const item = document.createElement("li");
    item.textContent = seat.number;
    if (isAlone) return item;
    const button = Object.assign(document.createElement("button"), { type: "button", value: seat.id, textContent: "×" });
    button.setAttribute("aria-label", word("give-back-one", { seat: seat.number }));
    item.append(button);
    return item;
  };

  const describe = (hold) => {
    const numbers = seats.numbers(hold.seats);
    if (hold.numbers === numbers) return; // what has the focus stays
    hold.numbers = numbers;
    piece(hold, ".seat-map-own").replaceChildren(...hold.seats.map((seat) => own(seat, hold.seats.length === 1)));
    piece(hold, "[data-text=count]").textContent = word("seats", { count: seatMap.number(hold.seats.length) });
    piece(hold, "[data-text=sum]").textContent = word("sum", { sum: seatMap.number(seats.price(hold.seats)) });
  };

  const showLife = (hold) => {
    piece(hold, "[data-live]").hidden = !hold.isLive;
    piece(hold, "[data-do=dismiss]").hidden = hold.isLive;
    const submit = form(hold).querySelector("[type=submit]");
    submit.hidden = !hold.isLive && !hold.isFree;
    submit.textContent = word(hold.isLive ? "sell" : "sell-again");
    hold.card.classList.toggle("is-over", !hold.isLive);
  };

  const end = (hold) => {
    const taken = hold.seats.filter((seat) => seat.state !== "free");
    const text = taken.length ? word("ended-taken") : word("ended-free");
    if (hold.isLive) {
      seatMap.say(text);
      panel.close();
    }
    Object.assign(hold, { isLive: false, isFree: !taken.length });
    note(hold, text, taken.map((seat) => `${seat.number} (${seats.describe(seat)})`));
    if (!form(hold).hidden || hold.isFree) open(hold, true);
    showLife(hold);
  };

  const remove = (hold) => {
    hold.card.remove();
    holds.delete(hold.id);
    showEmpty();
  };

  const showEmpty = () => {
    section.querySelector(".seat-map-empty").hidden = holds.size > 0;
  };

  // Bring the cards to what the server told of my seats.
  const update = () => {
    const mine = Map.groupBy([...seats.all.values()].filter((seat) => seat.hold), (seat) => seat.hold);
    for (const [id, list] of mine) {
      const hold = holds.get(id) ?? make(id, list, list[0].until);
      const isPart = hold.isLive && !hold.isBusy && list.length < hold.seats.length;
      Object.assign(hold, { seats: list, until: list[0].until, isLive: true });
      if (isPart) note(hold, word("ended-part"));
      else if (hold.card.classList.contains("is-over")) note(hold, "");
      describe(hold);
      showLife(hold);
    }
    for (const hold of holds.values()) if (!mine.has(hold.id) && !hold.isBusy) end(hold);
    showEmpty();
    tick();
  };

  // At its end a hold is not over here: the server is asked, and until it has answered so it says.
  const tick = () => {
    for (const hold of holds.values()) {
      const left = seats.secondsLeft(hold.until);
      const clock = piece(hold, ".seat-map-clock");
      const text = hold.isLive ? (left ? seatMap.clock(left) : word("checking")) : "";
      if (clock.textContent !== text) clock.textContent = text;
      clock.classList.toggle("is-soon", hold.isLive && left < SOON);
      if (hold.isLive && left && left < SOON && !hold.isWarned) {
        hold.isWarned = true;
        seatMap.say(word("soon", { numbers: seats.numbers(hold.seats) }));
      }
      if (left >= SOON) hold.isWarned = false;
      if (hold.isLive && !left && !hold.isAsked) live.refresh();
      hold.isAsked = hold.isLive && !left;
    }
  };

  // What is done with a hold

  // What is being sold or given back leaves the map before the answer is read here.
  const act = async (hold, name, fields) => {
    panel.close();
    hold.isBusy = true;
    const answer = await live.act(name, [["hold_id", hold.id], ...fields]);
    hold.isBusy = false;
    if (answer?.ok) {
      remove(hold);
      return answer.said;
    }
    update();
    if (answer) panel.showRefusal(answer.said);
    return null;
  };

  const sell = async (hold) => {
    const wanted = hold.seats.map((seat) => ["seats", seat.id]);
    const sold = [`\u2066${seats.numbers(hold.seats)}\u2069`, word("sum", { sum: seatMap.number(seats.price(hold.seats)) })];
    const again = [["again", hold.isLive ? "" : "yes"]];
    const said = await act(hold, "confirm", [...new FormData(form(hold)), ...wanted, ...again]);
    if (!said) return;
    const links = { ticket: said.ticket_url, reservation: said.reservation_url };
    panel.show("good", `${word("reservation")} \u2066${said.reference}\u2069`, { lines: [sold.join("، ")], links });
    document.getElementById("seat-map-answer").focus({ preventScroll: true });
  };

  const giveBackOne = async (hold, seat) => {
    hold.isBusy = true; // it knows why there is one less
    await panel.act("give_back", [["hold_id", hold.id], ["seats", seat]], () => true);
    hold.isBusy = false;
    update();
    panel.keepFocus();
  };

  const giveBack = async (hold) => {
    const said = await act(hold, "give_back", []);
    if (!said) return;
    panel.show("good", said.message);
    panel.keepFocus();
  };

  const DEEDS = {
    "extend": (hold) => panel.act("extend", [["hold_id", hold.id]], () => true),
    "give-back": giveBack,
    "sell": (hold) => open(hold, form(hold).hidden, true),
    "dismiss": (hold) => {
      remove(hold);
      panel.keepFocus();
    },
  };

  const holdOf = (element) => holds.get(element.closest("[data-hold]")?.dataset.hold);

  place.addEventListener("click", ({ target }) => {
    const hold = holdOf(target);
    if (!hold) return;
    DEEDS[target.closest("[data-do]")?.dataset.do]?.(hold);
    if (target.matches(".seat-map-own button")) giveBackOne(hold, target.value);
  });
  place.addEventListener("submit", (event) => {
    event.preventDefault();
    sell(holdOf(event.target));
  });

  const sellAlone = (id) => {
    for (const hold of holds.values()) open(hold, hold.id === id, true);
  };
  seatMap.on("held", (held) => {
    if (!holds.has(held.hold_id)) { // taken, and the map could not be refreshed since
      make(held.hold_id, seats.inOrder(new Set(held.seats)), held.until);
    }
    sellAlone(held.hold_id);
  });
  seatMap.on("mine", (seat) => sellAlone(seat.hold));

  seatMap.sale = { update, tick };
})();
