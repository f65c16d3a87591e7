"use strict";
/* The Jalali calendar of date inputs. It listens on the document, so inputs that are added to a
   page later work too, and it builds one dialog that serves them all. */
(() => {
  if (window.jalaliCalendar) {
    return; // a page may load this file more than once: its form and its filters ask for it
  }
  const MONTHS = [
    "فروردین", "اردیبهشت", "خرداد", "تیر", "مرداد", "شهریور",
    "مهر", "آبان", "آذر", "دی", "بهمن", "اسفند",
  ];
  const WEEKDAYS = ["شنبه", "یکشنبه", "دوشنبه", "سه‌شنبه", "چهارشنبه", "پنجشنبه", "جمعه"];
  const DAY = 86400000;
  const FIRST_YEAR = 1300;
  const LAST_YEAR = 1499;
  const NOWRUZ_1400 = Date.UTC(2021, 2, 21);

  const isLeap = (year) => [1, 5, 9, 13, 17, 22, 26, 30].includes(year % 33);
  const monthLength = (year, month) => (month < 7 ? 31 : month < 12 || isLeap(year) ? 30 : 29);

  function newYear(year) {
    let days = (year - 1400) * 365;
    for (let y = 1400; y < year; y++) days += isLeap(y);
    for (let y = year; y < 1400; y++) days -= isLeap(y);
    return NOWRUZ_1400 + days * DAY;
  }

  const time = ({ year, month, day }) =>
    newYear(year) + (Math.min(month - 1, 6) * 31 + Math.max(month - 7, 0) * 30 + day - 1) * DAY;

  function fromTime(moment) {
    let year = new Date(moment).getUTCFullYear() - 621;
    if (moment < newYear(year)) year -= 1;
    let day = Math.round((moment - newYear(year)) / DAY) + 1;
    let month = 1;
    while (day > monthLength(year, month)) day -= monthLength(year, month++);
    return { year, month, day };
  }

  const weekday = (date) => (new Date(time(date)).getUTCDay() + 1) % 7; // Saturday is 0

  function tehranNow() {
    const parts = new Intl.DateTimeFormat("en-GB", {
      timeZone: "Asia/Tehran", hourCycle: "h23", year: "numeric", month: "numeric",
      day: "numeric", hour: "2-digit", minute: "2-digit",
    }).formatToParts(new Date());
    const part = (type) => Number(parts.find((found) => found.type === type).value);
    const today = fromTime(Date.UTC(part("year"), part("month") - 1, part("day")));
    return { today, clock: `${pad(part("hour"))}:${pad(part("minute"))}` };
  }

  const pad = (number) => String(number).padStart(2, "0");
  const persian = (text) => String(text).replace(/[0-9]/g, (digit) => "۰۱۲۳۴۵۶۷۸۹"[digit]);
  const ascii = (text) =>
    text.replace(/[۰-۹]/g, (sign) => sign.charCodeAt(0) - 0x06f0)
      .replace(/[٠-٩]/g, (sign) => sign.charCodeAt(0) - 0x0660);

  function read(text) {
    const match = /^\s*(\d{4})[/-](\d{1,2})[/-](\d{1,2})\s*$/.exec(ascii(text));
    if (!match) return null;
    const [year, month, day] = match.slice(1).map(Number);
    if (year >= 1900 && year <= 2100) return fromTime(Date.UTC(year, month - 1, day));
    const valid = year >= FIRST_YEAR && year <= LAST_YEAR && month >= 1 && month <= 12;
    return valid && day >= 1 && day <= monthLength(year, month) ? { year, month, day } : null;
  }

  let dialog, input, opener, shown;

  function element(tag, attributes = {}, text = "") {
    const made = document.createElement(tag);
    Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
    made.textContent = text;
    return made;
  }

  function clamp(date) {
    const year = Math.min(Math.max(date.year, FIRST_YEAR), LAST_YEAR);
    return { ...date, year, day: Math.min(date.day, monthLength(year, date.month)) };
  }

  function moved(date, { days = 0, months = 0 }) {
    if (days) return clamp(fromTime(time(date) + days * DAY));
    const index = date.year * 12 + date.month - 1 + months;
    return clamp({ year: Math.floor(index / 12), month: (index % 12) + 1, day: date.day });
  }

  function header() {
    const row = element("div", { class: "date-picker-header" });
    const turn = (label, sign, months) => {
      const button = element("button", { type: "button", "aria-label": label, title: label }, sign);
      button.addEventListener("click", () => {
        show(moved(shown, { months }));
        dialog.querySelector(`[aria-label="${label}"]`).focus();
      });
      return button;
    };
    const { previousYear, previousMonth, nextMonth, nextYear } = opener.dataset;
    const title = `${MONTHS[shown.month - 1]} ${persian(shown.year)}`;
    row.append(
      turn(previousYear, "«", -12), turn(previousMonth, "‹", -1),
      element("strong", { "aria-live": "polite", id: "date-picker-title" }, title),
      turn(nextMonth, "›", 1), turn(nextYear, "»", 12),
    );
    return row;
  }

  function grid() {
    const table = element("table", { role: "grid", "aria-labelledby": "date-picker-title" });
    const names = element("tr");
    WEEKDAYS.forEach((name) => names.append(element("th", { scope: "col", abbr: name }, name[0])));
    table.append(names);
    const first = { ...shown, day: 1 };
    const chosen = read(input.value);
    const { today } = tehranNow();
    const same = (one, other) => one && time(one) === time(other);
    let row = element("tr");
    for (let blank = 0; blank < weekday(first); blank++) row.append(element("td"));
    for (let day = 1; day <= monthLength(shown.year, shown.month); day++) {
      const date = { ...shown, day };
      const spoken = `${WEEKDAYS[weekday(date)]} ${persian(day)} ${MONTHS[shown.month - 1]}`;
      const button = element("button", {
        type: "button", "data-day": day, "aria-label": spoken,
        tabindex: day === shown.day ? 0 : -1, "aria-pressed": Boolean(same(chosen, date)),
      }, persian(day));
      if (same(today, date)) button.setAttribute("aria-current", "date");
      button.addEventListener("click", () => choose(date));
      const cell = element("td");
      cell.append(button);
      row.append(cell);
      if (weekday(date) === 6) {
        table.append(row);
        row = element("tr");
      }
    }
    if (row.children.length) table.append(row);
    return table;
  }

  function footer() {
    const row = element("div", { class: "date-picker-footer" });
    const today = element("button", { type: "button" }, opener.dataset.today);
    today.addEventListener("click", () => {
      const now = tehranNow();
      const clock = input.closest(".date-input").parentElement.querySelector(".clock-time");
      if (clock && !clock.value) clock.value = persian(now.clock);
      choose(now.today);
    });
    const clear = element("button", { type: "button" }, opener.dataset.clear);
    clear.addEventListener("click", () => choose(null));
    row.append(today, clear);
    return row;
  }

  function show(date) {
    shown = date;
    dialog.replaceChildren(header(), grid(), footer());
  }

  function focusDay() {
    dialog.querySelector('[data-day][tabindex="0"]').focus();
  }

  function open(button) {
    close();
    opener = button;
    input = button.parentElement.querySelector("input");
    const label = button.getAttribute("aria-label");
    dialog = element("div", { class: "date-picker", role: "dialog", "aria-label": label, dir: "rtl" });
    show(clamp(read(input.value) || tehranNow().today));
    document.body.append(dialog);
    button.setAttribute("aria-expanded", "true");
    place();
    focusDay();
  }

  function place() {
    const box = input.getBoundingClientRect();
    const right = Math.min(Math.max(box.right, dialog.offsetWidth + 8), innerWidth - 8);
    const below = box.bottom + dialog.offsetHeight + 4 <= innerHeight || box.top < dialog.offsetHeight;
    const top = below ? box.bottom + 4 : box.top - dialog.offsetHeight - 4;
    dialog.style.left = `${right - dialog.offsetWidth + scrollX}px`;
    dialog.style.top = `${top + scrollY}px`;
  }

  function close({ refocus = false } = {}) {
    if (!dialog) return;
    dialog.remove();
    dialog = null;
    opener.setAttribute("aria-expanded", "false");
    if (refocus) opener.focus();
  }

  function choose(date) {
    input.value = date ? persian(`${date.year}/${pad(date.month)}/${pad(date.day)}`) : "";
    input.dispatchEvent(new Event("input", { bubbles: true }));
    input.dispatchEvent(new Event("change", { bubbles: true }));
    close({ refocus: true });
  }

  // The page runs from right to left, so the arrow to the left leads to the next day.
  const STEPS = {
    ArrowLeft: { days: 1 }, ArrowRight: { days: -1 }, ArrowDown: { days: 7 }, ArrowUp: { days: -7 },
    PageDown: { months: 1 }, PageUp: { months: -1 },
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest(".date-input-button");
    if (button && button.getAttribute("aria-expanded") === "false") open(button);
    else if (dialog && event.isTrusted && !event.composedPath().includes(dialog)) close();
  });

  document.addEventListener("keydown", (event) => {
    const field = event.target.closest(".date-input");
    if (!dialog && field && event.key === "ArrowDown") {
      const button = field.querySelector(".date-input-button");
      if (button) {
        event.preventDefault();
        open(button);
      }
    } else if (dialog && event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      close({ refocus: true });
    } else if (dialog && event.target.dataset.day) {
      let step = STEPS[event.key];
      if (event.key === "Home") step = { days: -weekday(shown) };
      if (event.key === "End") step = { days: 6 - weekday(shown) };
      if (!step) return;
      event.preventDefault();
      show(moved({ ...shown, day: Number(event.target.dataset.day) }, step));
      focusDay();
    }
  }, true);

  document.addEventListener("focusin", (event) => {
    if (dialog && !dialog.contains(event.target) && event.target !== opener) close();
  });

  window.jalaliCalendar = { newYear, monthLength, fromTime, time, weekday };
})();
