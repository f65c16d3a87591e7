// The live map of seats, last part: puts the others to work on one another.
"use strict";

(() => {
  const { seats, hall, hand, list, panel, sale, live } = seatMap;
  const TICK = 250;
  const OF_THE_CHOICE = ["hold", "block", "unblock"]; // they tell themselves what became of it

  const redraw = (ids) => {
    hall.update(ids);
    list.update(ids);
    panel.showChoice();
    panel.showCounts();
    hall.showDetail();
  };

  seatMap.on("choice", (changed) => {
    redraw(changed);
    panel.sayChoice();
  });
  seatMap.on("state", ({ changed, lost }) => {
    redraw(changed);
    if (lost.length && !OF_THE_CHOICE.includes(live.deed())) panel.showLost(lost);
    sale.update();
  });

  seatMap.root.addEventListener("click", ({ target }) => {
    const view = target.closest("button[data-view]");
    const zoom = target.closest("button[data-zoom]");
    if (view) list.show(view.dataset.view);
    if (zoom) hall.zoomBy(Number(zoom.dataset.zoom));
  });

  if (seats.all.size) {
    hall.draw();
    hand.begin();
  }
  list.begin();
  panel.begin();
  setInterval(() => {
    sale.tick();
    hall.showDetail();
  }, TICK);
  live.refresh();
})();
