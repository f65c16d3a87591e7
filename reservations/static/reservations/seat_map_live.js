// What the map asks the server: its state every few seconds, and what somebody does with seats.
"use strict";

(() => {
  const { settings, word } = seatMap;
  const PERIOD = settings.refresh_seconds * 1000;
  const LONGEST = 60000;
  const PATIENCE = 20000; // for one answer
  const stale = document.getElementById("seat-map-stale");
  const over = document.getElementById("seat-map-over");
  const layout = document.getElementById("seat-map-layout");
  const fresh = document.getElementById("seat-map-fresh");
  let etag = "";
  let timer = null;
  let wait = PERIOD;
  let lastGood = null;
  let asking = null; // the refresh under way
  let deeds = 0; // an answer that set out before the last deed ended tells the past

  // After a login in another tab the token of this page is an old one; the cookie has the new.
  const token = () => document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1] ?? "";

  const show = (notice, isShown) => {
    notice.hidden = !isShown;
  };

  const isGood = () => {
    if (!stale.hidden || !over.hidden) seatMap.say(word("back"));
    show(stale, false);
    show(over, false);
    wait = PERIOD;
    lastGood = seatMap.seats.now();
    fresh.textContent = word("fresh", { time: seatMap.time(lastGood) });
  };

  const failed = () => {
    const text = lastGood === null ? word("stale-new") : word("stale", { time: seatMap.time(lastGood) });
    if (stale.hidden) seatMap.say(text);
    stale.querySelector("[data-text]").textContent = text;
    show(stale, true);
    fresh.textContent = "";
  };

  const sessionOver = () => {
    if (over.hidden) seatMap.say(over.textContent);
    show(over, true);
    show(stale, false);
    fresh.textContent = "";
  };

  const plan = (milliseconds) => {
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(refresh, milliseconds);
  };

  const ask = async () => {
    const before = deeds;
    const headers = etag ? { "If-None-Match": etag } : {};
    const answer = await fetch(settings.urls.state, {
      credentials: "same-origin", redirect: "manual", cache: "no-store", headers,
      signal: AbortSignal.timeout(PATIENCE),
    });
    if (answer.status === 401 || answer.type === "opaqueredirect") return "over";
    if (answer.status === 304) return "same";
    if (!answer.ok) throw new Error(answer.status);
    const state = await answer.json();
    if (before !== deeds) return "past";
    etag = answer.headers.get("ETag") ?? "";
    show(layout, state.layout !== seatMap.plan.layout);
    seatMap.tell("state", seatMap.seats.apply(state));
    return "new";
  };

  // Ask once; where a refresh is under way already, its answer will do.
  const refresh = () => {
    asking ??= (async () => {
      clearTimeout(timer);
      try {
        const found = await ask();
        if (found === "over") {
          sessionOver();
          return;
        }
        isGood();
        plan(found === "past" ? 0 : wait);
      } catch {
        failed();
        plan(wait);
        wait = Math.min(wait * 2, LONGEST);
      } finally {
        asking = null;
      }
    })();
    return asking;
  };

  // Ask for all of it: what was done here, or missed while nobody looked, may have an old ETag.
  const refreshAll = async () => {
    if (asking) await asking;
    etag = "";
    await refresh();
  };

  const send = async (name, fields) => {
    let answer;
    try {
      answer = await fetch(settings.urls[name], {
        method: "POST", credentials: "same-origin", redirect: "manual",
        headers: { "X-CSRFToken": token() }, body: new URLSearchParams(fields),
        signal: AbortSignal.timeout(PATIENCE),
      });
    } catch {
      return { ok: false, said: { error: word("offline") } };
    }
    if (answer.status === 401 || answer.type === "opaqueredirect") {
      sessionOver();
      return { ok: false, said: { error: word("over") } };
    }
    const said = await answer.json().catch(() => null);
    return { ok: answer.ok && said !== null, said: said ?? { error: word("failed") } };
  };

  // Do one thing at a time; return the answer after the map shows what came of it, or null while
  // another is under way.
  let deed = "";
  const act = async (name, fields) => {
    if (deed) return null;
    deed = name;
    seatMap.root.setAttribute("aria-busy", "true");
    const answer = await send(name, fields);
    deeds += 1;
    if (answer.ok || over.hidden) await refreshAll();
    seatMap.root.removeAttribute("aria-busy");
    deed = "";
    return answer;
  };

  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.hidden) return;
    wait = PERIOD;
    refreshAll();
  });

  seatMap.root.addEventListener("click", ({ target }) => {
    if (target.closest("[data-do=retry]")) refreshAll();
    if (target.closest("[data-do=reload]")) location.reload();
  });

  seatMap.live = { refresh, act, deed: () => deed };
})();
