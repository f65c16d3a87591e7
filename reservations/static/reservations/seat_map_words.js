// The live map of seats, first part: what the page was given, and how it words things. Each script
// of the map adds its part to `seatMap`; seat_map.js starts them.
"use strict";

const seatMap = {};

(() => {
  const given = (id) => JSON.parse(document.getElementById(id).textContent);
  const language = document.documentElement.lang || "fa";
  const words = new Map(
    [...document.getElementById("seat-map-words").content.querySelectorAll("[data-word]")]
      .map((element) => [element.dataset.word, element.textContent]),
  );

  seatMap.plan = given("seat-plan");
  seatMap.settings = given("map-settings");
  seatMap.root = document.getElementById("seat-map");
  seatMap.part = (selector) => seatMap.root.querySelector(selector);
  seatMap.events = new EventTarget();
  seatMap.tell = (name, detail) => seatMap.events.dispatchEvent(new CustomEvent(name, { detail }));
  seatMap.on = (name, react) => seatMap.events.addEventListener(name, ({ detail }) => react(detail));

  // A value keeps its own direction among the words around it.
  const isolated = (value) => `\u2068${value}\u2069`;

  seatMap.word = (key, values = {}) =>
    words.get(key).replace(/\{(\w+)\}/g, (_all, name) => isolated(values[name]));

  const whole = new Intl.NumberFormat(language);
  const two = new Intl.NumberFormat(language, { minimumIntegerDigits: 2 });
  const dayTime = new Intl.DateTimeFormat(language, { timeStyle: "medium" });

  seatMap.number = (value) => whole.format(value);
  seatMap.time = (instant) => dayTime.format(instant);
  seatMap.clock = (seconds) => `${two.format(Math.floor(seconds / 60))}:${two.format(seconds % 60)}`;

  seatMap.escape = (text) =>
    String(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

  const speaker = document.getElementById("seat-map-says");
  seatMap.say = (text) => {
    speaker.textContent = speaker.textContent === text ? `${text}\u00a0` : text;
  };
})();
