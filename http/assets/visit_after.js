// Who is at the door: shown on every page of the console as soon as it happens, and gone when somebody has answered. The list is
// a page of its own, so this shows nothing that the server does not; without this file there is that page.
"use strict";

{
  const slot = document.querySelector("[data-reception]");
  const KINDS = [
    "walked_in", "checked_in", "announced", "escalated", "acknowledged", "matched", "screening_failed", "overridden",
    "turned_away", "checked_out", "cancelled",
  ];
  /** Where the server has no stream for this page, the page asks. */
  const AGAIN_MS = 30_000;
  let source;
  let again;
  let asked = 0;
  let shown = "";

  async function show() {
    const mine = ++asked;
    try {
      const answer = await fetch("/visits/waiting", { credentials: "same-origin" });
      if (!answer.ok || answer.redirected || mine !== asked) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const list = page.querySelector("[data-waiting]");
      // What says the same stays: nothing moves under a finger.
      const text = list?.textContent ?? "";
      if (list && text !== shown) slot.replaceChildren(...list.children);
      shown = text;
      slot.hidden = slot.children.length === 0;
    } catch {
      // No connection: what is shown stays until there is one.
    }
  }

  // Browsers open few connections to a host, so a page that nobody looks at has none.
  function follow() {
    source?.close();
    clearTimeout(again);
    if (document.hidden) return;
    show();
    source = new EventSource("/v1/events/stream?visits=mine");
    // A browser comes back by itself to a connection that was lost, not to one that was refused.
    source.addEventListener("error", ({ target }) => {
      if (target === source && target.readyState === EventSource.CLOSED) again = setTimeout(follow, AGAIN_MS);
    });
    for (const kind of KINDS) source.addEventListener(`visit.${kind}`, show);
  }

  if (slot && !document.querySelector("[data-waiting]")) {
    document.addEventListener("visibilitychange", follow);
    follow();
  }
}
