"use strict";
/* Counts while seats are chosen, tells the difference in price, and lets nobody choose too many.
   Without it the server does the same when the form is sent. */
(() => {
  const form = document.getElementById("move-choice");
  const told = document.getElementById("move-count");
  const shown = new Intl.NumberFormat(document.documentElement.lang);
  const boxes = (name) => [...form.querySelectorAll(`input[name=${name}]`)];
  const price = (chosen) => chosen.reduce((sum, box) => sum + Number(box.dataset.price), 0);

  function tell() {
    const leaving = boxes("from").filter((box) => box.checked);
    const coming = boxes("to").filter((box) => box.checked);
    for (const box of boxes("to")) {
      box.disabled = !box.checked && coming.length >= leaving.length;
    }
    const texts = [
      form.dataset.chosen
        .replace("{count}", shown.format(coming.length))
        .replace("{needed}", shown.format(leaving.length)),
    ];
    const difference = price(coming) - price(leaving);
    if (leaving.length && coming.length === leaving.length && difference) {
      const text = difference > 0 ? form.dataset.taken : form.dataset.back;
      texts.push(text.replace("{amount}", shown.format(Math.abs(difference))));
    }
    told.textContent = texts.join(" · ");
  }

  form.addEventListener("change", tell);
  window.addEventListener("pageshow", tell);
  tell();
})();
