// The side of the map where one works: the choice, the best seats, and what the office answered.
"use strict";

(() => {
  const { seats, hall, live, word, part } = seatMap;
  const answerBox = document.getElementById("seat-map-answer");
  const choice = document.getElementById("seat-map-choice");
  const best = part(".seat-map-best");
  const blockForm = document.getElementById("seat-map-block");
  const CHIPS = 8;

  const chosen = (state) => seats.inOrder(seats.chosen).filter((seat) => seat.state === state);
  const pairs = (list) => list.map((seat) => ["seats", seat.id]);

  // What the office answered

  // Say what came of it: kind "good" or "bad", a line a seat, and where to go from here.
  const show = (kind, text, { lines = [], links = null } = {}) => {
    answerBox.dataset.kind = kind;
    answerBox.hidden = false;
    answerBox.querySelector("[data-text]").textContent = text;
    answerBox.querySelector("ul").replaceChildren(...lines.map((line) => {
      const item = document.createElement("li");
      item.textContent = line;
      return item;
    }));
    answerBox.querySelector(".seat-map-links").hidden = links === null;
    for (const link of answerBox.querySelectorAll("[data-link]")) {
      const address = links?.[link.dataset.link];
      link.hidden = !address;
      if (address) link.href = address;
    }
    seatMap.say([text, ...lines].join(" "));
    answerBox.scrollIntoView({ block: "nearest" });
  };

  const close = () => {
    answerBox.hidden = true;
  };

  const showRefusal = (said) => {
    const inTheWay = said.seats ?? [];
    hall.flash(inTheWay.map((seat) => seat.id));
    const [text] = said.error.split("\n");
    show("bad", text, { lines: inTheWay.map((seat) => seat.text) });
  };

  // Do something and say what came of it, aloud only where the map shows it well enough; return the
  // answer where it was good.
  const act = async (name, fields, isPlain = () => false) => {
    close();
    const answer = await live.act(name, fields);
    if (!answer) return null;
    if (!answer.ok) {
      showRefusal(answer.said);
      return null;
    }
    if (isPlain(answer.said)) seatMap.say(answer.said.message);
    else show("good", answer.said.message);
    return answer.said;
  };

  // The choice

  const showChoice = () => {
    const list = seats.inOrder(seats.chosen);
    const [free, blocked] = [chosen("free"), chosen("blocked")];
    choice.hidden = list.length === 0;
    choice.querySelector("[data-text=count]").textContent = word("seats", { count: seatMap.number(list.length) });
    choice.querySelector("[data-text=sum]").textContent = word("sum", { sum: seatMap.number(seats.price(list)) });
    choice.querySelector("[data-text=numbers]").textContent = seats.numbers(list);
    const { hold, change } = seatMap.settings.permissions;
    choice.querySelector("[data-do=hold]").hidden = !hold || !free.length;
    choice.querySelector("[data-do=ask-block]").hidden = !change || !free.length;
    choice.querySelector("[data-do=unblock]").hidden = !change || !blocked.length;
    if (!free.length) askBlock(false);
  };

  const sayChoice = () => {
    const list = seats.inOrder(seats.chosen);
    const values = { count: seatMap.number(list.length), sum: seatMap.number(seats.price(list)) };
    seatMap.say(list.length ? word("chosen-now", values) : word("chosen-none"));
  };

  const showLost = (lost) => {
    hall.flash(lost.map((seat) => seat.id));
    const lines = lost.map((seat) =>
      word(`lost-${seat.state}`, { seat: seat.number, holder: seat.holder }));
    show("bad", word("lost-choice"), { lines });
  };

  const showCounts = () => {
    for (const [name, count] of Object.entries(seats.counts())) {
      part(`[data-count=${name}]`).textContent = seatMap.number(count);
    }
  };

  // Where what had the focus has gone, the answer takes it, else the hall.
  const keepFocus = () => {
    if (document.activeElement !== document.body && document.activeElement.getClientRects().length) return;
    if (!answerBox.hidden) answerBox.focus({ preventScroll: true });
    else if (seatMap.root.dataset.view === "map") seatMap.hand.focus();
    else part("button[data-view=list]").focus();
  };

  const drop = () => {
    seats.choose([...seats.chosen], false);
    keepFocus();
  };

  const hold = async () => {
    const list = chosen("free");
    if (!seatMap.settings.permissions.hold) return;
    if (!list.length) {
      show("bad", word("nothing-chosen"));
      return;
    }
    const held = await act("hold", pairs(list), () => true);
    if (held) seatMap.tell("held", held);
  };

  const askBlock = (isAsked) => {
    blockForm.hidden = !isAsked;
    choice.querySelector("[data-do=ask-block]").setAttribute("aria-expanded", isAsked);
    if (isAsked) blockForm.elements.reason.focus();
  };

  const block = async () => {
    const done = await act("block", [...pairs(chosen("free")), ["reason", blockForm.elements.reason.value]]);
    if (!done) return;
    blockForm.reset();
    keepFocus();
  };

  // The best seats

  const takeBest = async (count) => {
    const accessible = best.elements.accessible.checked ? [["accessible", "yes"]] : [];
    const held = await act("best", [["count", count], ...accessible], (said) => said.adjacent);
    if (!held) return;
    best.reset();
    seatMap.tell("held", held);
  };

  const makeChips = () => {
    best.querySelector(".seat-map-chips").append(...Array.from({ length: CHIPS }, (_none, index) => {
      const chip = document.createElement("button");
      chip.type = "button";
      chip.value = index + 1;
      chip.textContent = seatMap.number(index + 1);
      chip.setAttribute("aria-label", word("seats", { count: chip.textContent }));
      return chip;
    }));
  };

  const DEEDS = {
    "hold": hold,
    "clear": drop,
    "ask-block": () => askBlock(blockForm.hidden),
    "unblock": async () => {
      await act("unblock", pairs(chosen("blocked")));
      keepFocus();
    },
    "clear-run-out": () => act("clear_run_out", []),
    "close-answer": () => {
      close();
      keepFocus();
    },
  };

  const begin = () => {
    for (const element of seatMap.root.querySelectorAll("section[data-needs], p[data-needs]")) {
      element.hidden = !seatMap.settings.permissions[element.dataset.needs];
    }
    makeChips();
    showChoice();
    showCounts();
  };

  seatMap.root.addEventListener("click", ({ target }) => {
    DEEDS[target.closest("[data-do]")?.dataset.do]?.();
    const chip = target.closest(".seat-map-chips button");
    if (chip) takeBest(chip.value);
  });
  best.addEventListener("submit", (event) => {
    event.preventDefault();
    takeBest(best.elements.count.value);
  });
  blockForm.addEventListener("submit", (event) => {
    event.preventDefault();
    block();
  });
  seatMap.on("hold", hold);

  seatMap.panel = { begin, show, act, showRefusal, showChoice, sayChoice, showLost, showCounts, keepFocus, close };
})();
