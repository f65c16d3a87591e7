"use strict";

// The columns of an export, all or none at once.
document.addEventListener("DOMContentLoaded", () => {
  const all = document.getElementById("select-all-columns");
  const columns = document.querySelectorAll(".selectable-field-export-row input[type=checkbox]");
  all.addEventListener("change", () => columns.forEach((column) => { column.checked = all.checked; }));
  columns.forEach((column) => column.addEventListener("change", () => {
    all.checked = Array.from(columns).every((one) => one.checked);
  }));
});
