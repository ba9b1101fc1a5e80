// The reception's screen. The server draws it, in both languages at once; this file sends what visitors enter, changes over
// between the languages with nothing lost, says what is not confirmed, and leaves no screen to the next visitor.
"use strict";

{
  const IDLE_MS = 60_000;
  const WARN_MS = 45_000;
  const DONE_MS = 12_000;
  /** Where a number is shown that one keeps. */
  const NUMBER_MS = 30_000;
  const ANSWER_MS = 8_000;
  const ALIVE_MS = 30_000;
  const TOLD_MS = 200;

  const body = document.body;
  document.documentElement.classList.add("js");
  /** The tablet's own language: what the next visitor finds. */
  const own = navigator.language.startsWith("ja") ? "ja" : "en";
  const home = `/kiosk?lang=${own}`;

  const face = () => body.querySelector(".face:not([hidden])");
  const faces = () => body.querySelectorAll(".face");
  const lang = () => document.documentElement.lang;

  /** Shows one of what lies over the screen (`camera`, `held`, `offline`, `still`), or none. */
  function over(name) {
    for (const part of body.querySelectorAll(".kiosk-over")) part.hidden = part.dataset.part !== name;
    body.dataset.over = name ?? "";
    for (const main of body.querySelectorAll("main")) main.inert = Boolean(name);
    if (name) face().querySelector(`[data-part="${name}"] button`)?.focus();
  }

  function goHome() {
    location.assign(home);
  }

  // ---- languages

  /** Controls of a face that hold what somebody typed. */
  const controls = (root) => [...root.querySelectorAll("input[name], textarea[name], select[name]")];

  function speak(to) {
    const from = face();
    const other = body.querySelector(`.face[data-face="${to}"]`);
    if (!other || other === from) return;
    const theirs = controls(other);
    controls(from).forEach((control, at) => {
      const twin = theirs[at];
      if (!twin || twin.name !== control.name) return;
      if (control.type === "radio" || control.type === "checkbox") twin.checked = control.checked;
      else if (control.name !== "_key") twin.value = control.value;
    });
    const focused = controls(from).indexOf(document.activeElement);
    other.hidden = false;
    from.hidden = true;
    document.documentElement.lang = to;
    document.title = document.title.replace(from.dataset.title, other.dataset.title);
    kiosk.scan?.moved();
    theirs[focused]?.focus();
  }

  // ---- sending

  /** Takes over the screen that an answer brought. */
  function swap(html) {
    const next = new DOMParser().parseFromString(html, "text/html");
    kiosk.scan?.close();
    for (const old of faces()) old.remove();
    body.prepend(...next.querySelectorAll(".face"));
    body.dataset.view = next.body.dataset.view ?? "";
    document.documentElement.lang = next.documentElement.lang;
    document.title = next.title;
    if (!("paired" in next.body.dataset)) delete body.dataset.paired;
    scrollTo(0, 0);
    arrived();
    (face().querySelector(".errors") ?? face().querySelector("h1"))?.focus?.();
  }

  /** Sends fields; throws where nobody knows what came of it. */
  async function post(action, fields) {
    const url = `${new URL(action, location.href).pathname}?lang=${lang()}`;
    const sent = { method: "POST", body: new URLSearchParams(fields), signal: AbortSignal.timeout(ANSWER_MS) };
    const answer = await fetch(url, sent);
    if (answer.status >= 500) throw new Error(`${answer.status}`);
    return answer;
  }

  /** Sends, and shows what came of it: an answer, "not confirmed" for what is kept, or "not sent" where nothing can be. */
  async function deliver(action, fields) {
    try {
      const answer = await post(action, fields);
      const html = await answer.text();
      if (answer.status === 401) await forget();
      swap(html);
    } catch {
      const kept = await kiosk.held?.keep(action, fields).catch(() => undefined);
      // Whoever came without a code gets a number for leaving only from the server.
      const isWalkIn = !fields.some(([name]) => name === "code");
      for (const note of body.querySelectorAll("[data-held-walk-in]")) note.hidden = !isWalkIn;
      over(kept === undefined ? "offline" : "held");
      body.dataset.held = kept ?? "";
      waits();
      restart();
    }
  }

  async function submit(form) {
    if (form.dataset.busy) return;
    form.dataset.busy = "true";
    const { code } = form.elements;
    if (code) code.value = plain(code.value);
    // The page may come from what was kept: a key of its own for what this visitor sends, and the same for each try.
    form.elements._key.value = crypto.randomUUID();
    await deliver(form.action, [...new FormData(form)]);
    delete form.dataset.busy;
  }

  /** The device may do nothing any more: nothing stays on it. */
  async function forget() {
    navigator.serviceWorker?.controller?.postMessage({ forget: true });
    await kiosk.held?.forget();
  }

  /** People type spaces, hyphens and full-width digits; a reader may press a shift that nobody wants. */
  function plain(code) {
    const text = code.normalize("NFKC").trim();
    const digits = text.replace(/[\s\u2010-\u2015\u2212\u30fc-]/g, "");
    return /^\d+$/.test(digits) ? digits : text;
  }

  /** Enters a code that was scanned, whatever is on the screen; false if it is none of ours. */
  function enter(code) {
    const text = plain(code).replace(/^https?:\/\/[^/]+\/pass\//, "");
    if (!/^(keiin_pas_[\w-]{20,}|\d{8})$/.test(text) || body.dataset.over === "held") return false;
    const form = face().querySelector("form[data-scan]");
    if (form) {
      form.elements.code.value = text;
      form.requestSubmit();
    } else if ("paired" in body.dataset) deliver("/kiosk/check_in", [["_key", crypto.randomUUID()], ["code", text]]);
    return true;
  }

  // ---- what is kept

  function waits() {
    kiosk.held?.count().then((n) => {
      for (const note of body.querySelectorAll("[data-waits]")) note.hidden = n === 0;
      body.dataset.waiting = n;
    });
  }

  /** What was kept has been answered: shown if its visitor still stands here. */
  function answered(id, html) {
    waits();
    if (body.dataset.over === "held" && body.dataset.held === String(id)) {
      over(null);
      swap(html);
    }
  }

  // ---- a new screen

  let done;
  let told;

  function arrived() {
    over(null);
    clearTimeout(done);
    clearInterval(told);
    for (const input of body.querySelectorAll(".code-input")) input.setAttribute("inputmode", "none");
    for (const button of body.querySelectorAll("[data-camera]")) button.hidden = !kiosk.scan?.can();
    face().querySelector(".code-input, .kiosk-fields input:not([type=hidden])")?.focus({ preventScroll: true });
    const view = body.dataset.view;
    if (view.startsWith("done_")) {
      done = setTimeout(goHome, face().querySelector(".leave-with") ? NUMBER_MS : DONE_MS);
      ask(face().querySelector("[data-told]")?.dataset.told);
    }
    waits();
    restart();
  }

  /** Says so once the host's mail server has the message. */
  function ask(url) {
    if (!url) return;
    let asking = false;
    told = setInterval(async () => {
      if (asking) return;
      asking = true;
      const answer = await fetch(url).then((r) => r.json()).catch(() => ({}));
      asking = false;
      if (!answer.told) return;
      clearInterval(told);
      for (const note of body.querySelectorAll("[data-told]")) {
        note.querySelector("[data-waiting]").hidden = true;
        note.querySelector("[data-done]").hidden = false;
      }
      body.dataset.told = Math.round(performance.now());
    }, TOLD_MS);
  }

  // ---- nobody finds the previous visitor's screen

  let warning;
  let idle;

  function restart() {
    clearTimeout(warning);
    clearTimeout(idle);
    const typed = [...(face()?.querySelectorAll(".input") ?? [])].some((input) => input.value && input.value !== "1");
    const isHome = !body.dataset.view && !body.dataset.over && !typed && !body.querySelector(".errors");
    if (isHome || body.dataset.view === "revoked") return;
    warning = setTimeout(() => over("still"), WARN_MS);
    idle = setTimeout(goHome, IDLE_MS);
  }

  for (const kind of ["pointerdown", "keydown", "input"]) {
    document.addEventListener(kind, () => {
      if (body.dataset.over !== "still") setTimeout(restart);
    });
  }

  // ---- fingers

  document.addEventListener("submit", (event) => {
    if (!face()?.contains(event.target)) return;
    event.preventDefault();
    submit(event.target);
  });

  document.addEventListener("click", (event) => {
    const on = (selector) => event.target.closest(selector);
    const to = on("[data-speak]");
    if (to) {
      event.preventDefault();
      speak(to.dataset.speak);
    } else if (on("[data-key]")) press(on("[data-key]"));
    else if (on("[data-step]")) step(on("[data-step]"));
    else if (on("[data-camera]")) kiosk.scan.open();
    else if (on("[data-close]")) {
      kiosk.scan?.close();
      over(null);
    } else if (on("[data-stay]")) {
      over(null);
      restart();
    } else if (on("[data-home]")) goHome();
    else if (on("a[href^='/kiosk']") && "paired" in body.dataset) {
      // Whoever goes on goes on in the language that they chose.
      event.preventDefault();
      const next = new URL(on("a").href);
      next.searchParams.set("lang", lang());
      if (body.dataset.view.startsWith("done_")) goHome();
      else location.assign(next);
    }
  });

  function press(button) {
    const code = button.form?.elements.code ?? button.closest("form").elements.code;
    const { key } = button.dataset;
    if (key === "clear") code.value = "";
    else if (key === "back") code.value = code.value.slice(0, -1);
    else if (code.value.length < 8) code.value += key;
  }

  function step(button) {
    const input = button.parentElement.querySelector("input");
    input.value = Math.min(99, Math.max(1, (Number(input.value.normalize("NFKC")) || 1) + Number(button.dataset.step)));
  }

  // ---- whom one comes to see

  let looking;

  document.addEventListener("input", (event) => {
    const field = event.target.closest("[data-hosts]");
    if (!field || event.target.name !== "_host_name") return;
    field.querySelector("[name=host_id]").value = "";
    clearTimeout(looking);
    looking = setTimeout(() => hosts(field, event.target.value.trim()), 150);
  });

  async function hosts(field, typed) {
    const list = field.querySelector("[role=listbox]");
    const input = field.querySelector("[name=_host_name]");
    const answer = typed ? await fetch(`/kiosk/hosts?q=${encodeURIComponent(typed)}`).catch(() => null) : null;
    const { items = [] } = answer?.ok ? await answer.json() : {};
    if (input.value.trim() !== typed) return;
    list.replaceChildren(
      ...items.map(({ id, name }) => {
        const item = document.createElement("li");
        const button = document.createElement("button");
        Object.assign(button, { type: "button", textContent: name, className: "btn" });
        button.setAttribute("role", "option");
        button.addEventListener("click", () => {
          field.querySelector("[name=host_id]").value = id;
          input.value = name;
          list.hidden = true;
          input.setAttribute("aria-expanded", "false");
        });
        item.append(button);
        return item;
      }),
    );
    if (typed && items.length === 0 && answer?.ok) {
      const none = document.createElement("li");
      none.textContent = field.dataset.none;
      list.append(none);
    }
    list.hidden = list.children.length === 0;
    input.setAttribute("aria-expanded", String(!list.hidden));
  }

  // ---- the device

  /** With `scan` and `held`, where the files before this one could make them. */
  const kiosk = Object.assign(window.kiosk ?? {}, { face, over, enter, post, answered });
  kiosk.scan?.start(kiosk);
  kiosk.held?.start(kiosk);
  // What was kept is in the language in which it was kept.
  speak(new URLSearchParams(location.search).get("lang") ?? own);
  arrived();

  /** Keeps the screens of visitors for when the network is down: nothing of any visitor is on them. */
  async function keepShell() {
    const { serviceWorker } = navigator;
    if (!serviceWorker) return;
    await serviceWorker.register("/kiosk/worker.js", { scope: "/kiosk" });
    const { active } = await serviceWorker.ready;
    const linked = [...document.querySelectorAll("link[rel=stylesheet], link[rel=icon]")].map((link) => link.href);
    const scripts = [...document.scripts].map((script) => script.src);
    const { reader, wasm, icons } = body.dataset;
    const assets = [...linked, ...scripts, ...[reader, wasm, icons].map((path) => new URL(path, location.href).href)];
    active.postMessage({ assets, pages: ["/kiosk", "/kiosk?view=out", "/kiosk?view=walk_in"] });
  }

  if ("paired" in body.dataset) {
    keepShell().catch(() => {});
    navigator.wakeLock?.request("screen").catch(() => {});
    setInterval(async () => {
      const answer = await fetch("/kiosk/alive").catch(() => null);
      if (answer?.status !== 401) return;
      await forget();
      goHome();
    }, ALIVE_MS);
  } else navigator.serviceWorker?.getRegistration("/kiosk").then((found) => found?.active?.postMessage({ forget: true }));
}
