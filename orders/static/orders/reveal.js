// A double click is one delivery: the second would be asked for a reason.
"use strict";
{
    const buttons = () => document.querySelectorAll(".reveal-pin button");
    document.addEventListener("submit", (event) => {
        if (event.target.matches(".reveal-pin")) {
            buttons().forEach((button) => { button.disabled = true; });
        }
    });
    // A page that the browser kept is shown again as it was left.
    window.addEventListener("pageshow", () => {
        buttons().forEach((button) => { button.disabled = false; });
    });
}
