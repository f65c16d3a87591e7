// The page's side of an edit lock: takes it at the first input or by the button, beats, and gives
// it back when the page is left or nobody types. The server decides everything; this page only
// asks and shows.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const bar = document.getElementById("edit-lock");
  if (!bar || bar.dataset.state === "held") return;

  const form = bar.closest("form");
  const text = bar.querySelector(".edit-lock-text");
  const button = bar.querySelector(".edit-lock-take");
  const tokenField = form.elements.editing_token;
  const versionField = form.elements.editing_version;
  const memory = `edit-lock:${location.pathname}`; // of this tab: a reload gets its lock back
  const kept = sessionStorage.getItem(memory);
  sessionStorage.removeItem(memory);
  let timer = null;
  let taking = null;
  let leaving = false;
  let lastInput = Date.now();

  const show = (state, words) => {
    bar.dataset.state = state;
    text.textContent = words;
    button.hidden = state === "mine";
  };

  const post = (address, fields) => {
    const body = new FormData();
    body.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
    for (const [name, value] of Object.entries(fields)) body.set(name, value);
    // Where the session has ended it leads to the sign-in page, which is no answer.
    return fetch(address, { method: "POST", body, credentials: "same-origin", redirect: "error" });
  };

  const forget = () => {
    clearInterval(timer);
    sessionStorage.removeItem(memory);
  };

  // Somebody at lunch keeps nobody waiting: an open page alone is no sign of life.
  const giveBackIdle = async () => {
    const token = tokenField.value;
    forget();
    tokenField.value = "";
    show("free", bar.dataset.idle);
    await post(bar.dataset.giveBack, { token }).catch(() => null); // it runs out anyway
  };

  const beat = async () => {
    if (Date.now() - lastInput > Number(bar.dataset.idleSeconds) * 1000) {
      await giveBackIdle();
      return;
    }
    try {
      const answer = await post(bar.dataset.beat, { token: tokenField.value });
      if (answer.status === 409) {
        forget();
        show("lost", bar.dataset.lost);
      } else {
        show("mine", answer.ok ? bar.dataset.mine : bar.dataset.offline);
      }
    } catch {
      show("mine", bar.dataset.offline);
    }
  };

  const take = async () => {
    let answer;
    try {
      answer = await post(bar.dataset.take, {
        token: tokenField.value || kept || "",
        version: versionField.value,
      });
    } catch {
      show("free", bar.dataset.offline);
      return;
    }
    const said = await answer.json().catch(() => ({ message: bar.dataset.offline }));
    if (!answer.ok) {
      show("refused", said.message);
      return;
    }
    tokenField.value = said.token;
    sessionStorage.setItem(memory, said.token);
    show("mine", bar.dataset.mine);
    clearInterval(timer);
    timer = setInterval(beat, said.beat_seconds * 1000);
  };

  const takeOnce = () => {
    if (bar.dataset.state === "mine" || bar.dataset.state === "lost" || taking) return;
    taking = take().finally(() => { taking = null; });
  };

  button.addEventListener("click", () => {
    lastInput = Date.now();
    bar.dataset.state = "free";
    takeOnce();
  });
  form.addEventListener("input", () => {
    lastInput = Date.now();
    if (bar.dataset.state === "free") takeOnce();
  });
  form.addEventListener("submit", () => { leaving = true; });
  window.addEventListener("pageshow", (event) => {
    leaving = false;
    if (event.persisted && tokenField.value) beat();
  });
  window.addEventListener("pagehide", () => {
    if (leaving || bar.dataset.state !== "mine") return;
    const body = new FormData();
    body.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
    body.set("token", tokenField.value);
    navigator.sendBeacon(bar.dataset.giveBack, body);
  });
  // A link that leads here is no wish to edit; a reload is, and saving to go on editing.
  const [arrival] = performance.getEntriesByType("navigation");
  const stays = arrival.type === "reload" || document.referrer === location.href;
  if (tokenField.value || (kept && stays)) takeOnce();
});
