// The page's side of an edit lock: takes it at the first input or by the button, beats, keeps a
// draft of what is unsaved, and gives the lock back when the page is left or nobody types. The
// server decides everything; this page only asks and shows.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const bar = document.getElementById("edit-lock");
  if (!bar) return;

  const WAITING = 3000; // between two looks while an answer is awaited
  const LOOKING = 15000;
  const PAUSE = 3000; // without a key, before what was typed is kept
  const SOON = 60; // seconds before an idle lock is given back
  const form = bar.closest("form");
  const field = (name) => form.elements[name];
  const part = (selector) => bar.querySelector(selector);
  const says = bar.dataset;
  const memory = `edit-lock:${says.take}`; // of this tab; see remember()
  let leaving = new AbortController();
  let token = field("editing_token").value;
  let kept = sessionStorage.getItem(memory);
  let ticket = "";
  let entering = false;
  let busy = null; // the taking under way
  let submitting = false;
  let sending = false; // asked, and not sent yet
  let beatTimer = null;
  let lookTimer = null;
  let draftTimer = null;
  let beatSeconds = { shown: 20, hidden: 60 };
  let lastInput = Date.now();
  let drafted = null;
  let typed = Boolean(says.unsaved);
  sessionStorage.removeItem(memory);

  // What is shown

  const digits = (number) => Number(number).toLocaleString(document.documentElement.lang || "fa");

  const show = (state, words) => {
    says.state = state;
    delete says.trouble;
    part(".edit-lock-text").textContent = words;
    for (const element of bar.querySelectorAll("[data-for]")) {
      element.hidden = !element.dataset.for.split(",").includes(state);
    }
    // Nobody types into a page whose lock is in another tab, or that is being looked up.
    for (const area of form.querySelectorAll("fieldset, .inline-group, .submit-row")) {
      area.inert = state === "mine_elsewhere" || state === "checking";
    }
  };

  const title = document.title;

  const note = (words, ...reveal) => {
    // Who types in the lines far below sees it too.
    bar.toggleAttribute("data-urgent", reveal.length > 0);
    document.title = reveal.length ? `● ${words}` : title;
    const line = part(".edit-lock-note");
    line.textContent = words;
    line.hidden = !words;
    for (const element of bar.querySelectorAll("[data-for=asked], [data-for=ending]")) {
      element.hidden = !reveal.includes(element.dataset.for);
    }
  };

  // What is asked

  const refresh = (fresh) => {
    if (!fresh) return;
    for (const input of document.querySelectorAll("[name=csrfmiddlewaretoken]")) input.value = fresh;
  };

  class Unanswered extends Error {}

  const send = async (address, options) => {
    let answer;
    try {
      answer = await fetch(address, {
        credentials: "same-origin", redirect: "manual", signal: leaving.signal, ...options,
      });
    } catch {
      throw new Unanswered(says.offline);
    }
    // Where the session has ended the office leads to its login page, which is no answer.
    if (answer.type === "opaqueredirect") throw new Unanswered(says.sessionOver);
    const said = await answer.json().catch(() => null);
    refresh(said?.csrf);
    return { status: answer.status, ok: answer.ok, said: said ?? {} };
  };

  const look = () => send(`${says.look}?ticket=${encodeURIComponent(ticket)}`, {});

  const post = async (address, fields) => {
    const body = () => {
      const data = fields instanceof FormData ? fields : new FormData();
      if (data !== fields) for (const [name, value] of Object.entries(fields)) data.set(name, value);
      data.set("csrfmiddlewaretoken", field("csrfmiddlewaretoken").value);
      return data;
    };
    let answer = await send(address, { method: "POST", body: body() });
    if (answer.status === 403) { // after a login in another tab this page's token is an old one
      await look();
      answer = await send(address, { method: "POST", body: body() });
    }
    if (answer.status === 403 || answer.status >= 500) throw new Unanswered(says.failed);
    return answer;
  };

  // What is unsaved

  const content = () => {
    const data = new FormData(form);
    for (const name of ["csrfmiddlewaretoken", "editing_token", "editing_base"]) data.delete(name);
    return new URLSearchParams([...data].filter(([, value]) => typeof value === "string")).toString();
  };
  let loaded = null;
  const hasChanges = () => Boolean(says.unsaved) || (loaded !== null && content() !== loaded);

  const keepDraft = async () => {
    if (!says.draft || !hasChanges()) return "";
    const now = content();
    if (now === drafted) return says.kept;
    try {
      const { ok } = await post(says.draft, new FormData(form));
      if (!ok) return says.notKept;
      drafted = now;
      return says.kept;
    } catch {
      return says.notKept;
    }
  };

  // Holding

  const beatsAt = () => (document.hidden ? beatSeconds.hidden : beatSeconds.shown);

  const stopBeats = () => clearTimeout(beatTimer);

  const nextBeat = () => {
    stopBeats();
    // A page in the background with nothing unsaved keeps nobody waiting.
    if (document.hidden && !hasChanges()) return;
    beatTimer = setTimeout(beat, beatsAt() * 1000);
  };

  const hold = (said) => {
    token = said.token;
    field("editing_token").value = token;
    beatSeconds = { shown: said.beat_seconds, hidden: said.hidden_beat_seconds };
    show("mine", says.mine);
    note("");
    warnOfEnd(said.hold_seconds_left);
    nextBeat();
  };

  const lose = async (reason, words) => {
    stopBeats();
    token = "";
    field("editing_token").value = "";
    note("");
    show("lost", words);
    const draft = await keepDraft();
    // What merely ran out may be taken again; the version tells whether somebody came between.
    const state = reason === "ran_out" ? "free" : "lost";
    show(state, [words, draft].filter(Boolean).join(" "));
    bar.toggleAttribute("data-urgent", true);
    watch(LOOKING);
  };

  const warnOfEnd = (left) => {
    if (left < 300) note(says.holdSoon.replace("{minutes}", digits(Math.ceil(left / 60))), "ending");
  };

  const beat = async (extend) => {
    stopBeats();
    if (says.state !== "mine") return;
    try {
      const { ok, said } = await post(says.beat, {
        token,
        idle_seconds: (Date.now() - lastInput) / 1000,
        has_changes: hasChanges() ? "yes" : "",
        extend: extend === true ? "yes" : "",
      });
      if (says.state !== "mine") return; // given back meanwhile
      if (!ok) {
        await lose(said.reason, said.message);
        return;
      }
      show("mine", says.mine);
      if (said.request) {
        note(said.request.message, "asked");
      } else {
        note("");
        warnOfEnd(said.hold_seconds_left);
      }
      await keepDraft();
    } catch (problem) {
      if (leaving.signal.aborted) return;
      show("mine", problem.message);
      says.trouble = "yes";
    }
    nextBeat();
  };

  const giveBackIdle = async () => {
    stopBeats();
    const draft = await keepDraft();
    const old = token;
    token = "";
    field("editing_token").value = "";
    note("");
    show("free", [says.idle, draft].filter(Boolean).join(" "));
    await post(says.giveBack, { token: old }).catch(() => null); // it runs out anyway
    watch(LOOKING);
  };

  // Somebody at lunch keeps nobody waiting: an open page alone is no sign of life.
  const watchIdleness = () => {
    if (says.state !== "mine" || !part("[data-for=asked]").hidden) return;
    const left = Number(says.idleSeconds) - (Date.now() - lastInput) / 1000;
    if (left <= 0) giveBackIdle();
    else if (left <= Math.min(SOON, Number(says.idleSeconds) / 2)) {
      part(".edit-lock-note").dataset.idle = "yes";
      note(says.idleSoon.replace("{seconds}", digits(Math.ceil(left))));
    }
  };
  setInterval(watchIdleness, Math.min(1000, Number(says.idleSeconds) * 250));

  // Taking

  const take = (address, fields) => {
    busy ??= (async () => {
      try {
        const base = field("editing_base").value;
        const { ok, status, said } = await post(address, {
          version: field("editing_version").value, base, ...fields,
        });
        if (ok) {
          hold(said);
          return true;
        }
        const draft = status === 409 ? await keepDraft() : "";
        show("refused", [said.message ?? says.failed, draft].filter(Boolean).join(" "));
        if (said.changes) document.getElementById("edit-lock-changes").innerHTML = said.changes;
      } catch (problem) {
        show("free", problem.message);
      }
      return false;
    })().finally(() => { busy = null; });
    return busy;
  };

  const touched = () => {
    lastInput = Date.now();
    typed = true;
    submitting = false; // it was sent, and answered with nothing or not at all
    const line = part(".edit-lock-note");
    if (line.dataset.idle) {
      delete line.dataset.idle;
      note("");
    }
    if (says.state === "free") take(says.take, { token });
    clearTimeout(draftTimer);
    draftTimer = setTimeout(() => { if (!submitting) keepDraft(); }, PAUSE);
  };

  // A lock that is already ours elsewhere comes in by a reload, with a token to show for it.
  const arrive = (with_token) => {
    leaving.abort();
    says.state = "arriving";
    sessionStorage.setItem(memory, with_token);
    location.reload();
  };

  const enter = async (version) => {
    const { ok, said } = await post(says.take, { token: "", version });
    if (ok) arrive(said.token);
  };

  // Watching somebody else's lock

  const watch = (pause) => {
    clearTimeout(lookTimer);
    lookTimer = setTimeout(async () => {
      let next = LOOKING;
      try {
        if (!document.hidden || entering || ticket) next = await see();
      } catch {
        next = LOOKING; // the next look tells
      }
      if (next) watch(next);
    }, pause);
  };

  const see = async () => {
    const { said } = await look();
    if (["mine", "arriving", "checking"].includes(says.state)) return 0;
    if (said.request === "handed_over") {
      arrive(ticket);
      return 0;
    }
    if (ticket && said.request !== "waiting") ticket = "";
    if (says.state === "held") {
      note(said.request_message || "");
      show("held", said.state === "free" ? says.freeNow : said.text);
      if (said.state === "free" && entering) await enter(said.version);
    } else if (says.state === "free" && said.state === "held") {
      note(said.text);
    } else if (says.state === "free") {
      note("");
    }
    return ticket || entering ? WAITING : LOOKING;
  };

  // The buttons

  const does = {
    take: touched,
    move: async () => { if (await take(says.move, {})) arrive(token); },
    ask: async () => {
      const { ok, said } = await post(says.ask, {});
      note(said.message);
      if (ok) ticket = said.ticket;
      watch(WAITING);
    },
    "open-take-over": () => {
      part(".edit-lock-reason").hidden = false;
      part("[data-holds=reason]").focus();
    },
    "close-take-over": () => { part(".edit-lock-reason").hidden = true; },
    "take-over": async () => {
      const reason = part("[data-holds=reason]").value;
      const version = field("editing_version").value;
      const { ok, said } = await post(says.takeOver, { reason, version });
      if (ok) arrive(said.token);
      else if (said.reason) show("refused", said.message);
      else note(said.message);
    },
    "hand-over": async () => {
      const draft = await keepDraft();
      const { said } = await post(says.answer, { token, hand_over: "yes" });
      if (said.answered) beat();
      else note([said.message, draft].join(" "));
    },
    decline: async () => {
      await post(says.answer, { token, hand_over: "" });
      note("");
    },
    extend: () => {
      lastInput = Date.now();
      beat(true);
    },
    reload: () => location.assign(location.pathname),
    enter: (box) => {
      entering = box.checked;
      watch(0);
    },
    "discard-draft": async (button) => {
      await post(button.dataset.draftDiscard, {});
      drafted = content(); // leaving the page must not keep it again
      button.closest(".edit-lock-draft").remove();
    },
  };
  for (const element of bar.querySelectorAll("[data-does]")) {
    element.addEventListener(element.type === "checkbox" ? "change" : "click", () => {
      Promise.resolve(does[element.dataset.does](element)).catch((problem) => note(problem.message));
    });
  }
  part("[data-holds=reason]")?.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault(); // it would send the document's form
    part("[data-does=take-over]").click();
  });

  // The page comes and goes

  // Only a page that is being left remembers its token: a tab that is duplicated copies what is
  // remembered, and would push the first one out.
  const remember = () => {
    if (says.state === "mine") sessionStorage.setItem(memory, token);
  };

  const resume = async (own) => {
    show("checking", part(".edit-lock-text").textContent);
    let state = "free";
    try {
      const { said } = await look();
      state = said.state;
      if (state === "mine" && own) {
        if (await take(says.take, { token: own })) return;
      }
      if (says.state !== "refused") {
        if (state === "mine") show("mine_elsewhere", said.text);
        else show(state === "held" ? "refused" : "free", said.text);
      }
    } catch (problem) {
      show("free", problem.message);
    }
    watch(LOOKING);
  };

  const inputs = ["input", "change", "keydown", "formset:added", "formset:removed"];
  for (const kind of inputs) {
    form.addEventListener(kind, (event) => {
      if (bar.contains(event.target) || event.key === "Tab") return;
      if (kind !== "keydown" || says.state === "mine") touched();
    });
  }
  // Of this page alone: the browser counts the click that led here as well.
  let acted = false;
  for (const kind of ["pointerdown", "keydown"]) {
    document.addEventListener(kind, () => { acted = true; }, { capture: true, once: true });
  }
  // Widgets made with jQuery tell of a choice through jQuery alone.
  window.django?.jQuery?.(form).on("change", (event) => {
    // Without a person's click or key before it, it is a widget that makes itself ready.
    if (acted && !event.originalEvent && !bar.contains(event.target)) touched();
  });
  // A form that is sent to an office that does not answer, or to its login page, is lost with all
  // that was typed: so it is asked first.
  form.addEventListener("submit", async (event) => {
    if (submitting) return;
    event.preventDefault();
    if (sending) return;
    sending = true;
    try {
      await look();
      submitting = true;
      form.requestSubmit(event.submitter);
    } catch (problem) {
      show(says.state, problem.message);
      says.trouble = "yes";
      bar.scrollIntoView({ block: "nearest" });
    }
    sending = false;
  });
  document.addEventListener("visibilitychange", () => {
    if (says.state !== "mine") return;
    if (document.hidden) nextBeat();
    else beat();
  });
  window.addEventListener("pagehide", () => {
    remember();
    leaving.abort();
    if (submitting) return;
    if (says.state === "mine") {
      const body = new FormData();
      body.set("csrfmiddlewaretoken", field("csrfmiddlewaretoken").value);
      body.set("token", token);
      body.set("leaving", "yes");
      navigator.sendBeacon(says.giveBack, body);
    }
    // With a lock or without: who lost it may have gone on typing. Last, as browsers limit how much
    // a page that is left may send.
    if (typed && says.draft && hasChanges() && content() !== drafted) {
      navigator.sendBeacon(says.draft, new FormData(form));
    }
  });
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    // Out of the back-forward cache, just as it was left: what was saved from it is history.
    // And a page for reading can't be typed into when the lock comes free.
    if (submitting || says.state === "held") {
      location.reload();
      return;
    }
    leaving = new AbortController();
    kept = sessionStorage.getItem(memory);
    sessionStorage.removeItem(memory);
    stopBeats();
    resume(kept || token);
  });

  setTimeout(() => { loaded ??= content(); }, 0); // after the widgets have filled in theirs
  show(says.state, part(".edit-lock-text").textContent);
  // Somebody else's page, or one that was refused, has nothing to come back to.
  const comesBack = !["held", "refused"].includes(says.state);
  if (comesBack && (kept || token || says.state === "mine")) resume(kept || token);
  else watch(LOOKING);
});
