// Keiin console: what pages do beyond plain HTML. Every page works without this file.
// A refused form shows its errors in place, so that nothing typed is lost; the rest are small conveniences.
"use strict";

// A block, because a page that is written in place of this one runs the file again in the same scope.
{
  document.documentElement.classList.add("js");

  /**
   * Sends a form in the background; follows where it leads, or shows the fragment that says why not. A form whose answer
   * is a page with a secret, shown once (`data-plain`), gets that page instead of a redirect.
   */
  async function submit(form, button) {
    const slot = form.querySelector("[data-errors]");
    const data = new FormData(form, button);
    const body = form.enctype === "multipart/form-data" ? data : new URLSearchParams(data);
    const headers = "plain" in form.dataset ? {} : { "HX-Request": "true" };
    let answer;
    try {
      answer = await fetch(form.action, { method: "POST", body, headers });
    } catch {
      form.submit(); // no connection: let the browser say so
      return;
    }
    const next = answer.headers.get("HX-Redirect");
    if (next || answer.redirected) {
      location.assign(next ?? answer.url);
      return;
    }
    const text = await answer.text();
    if (answer.ok) {
      const { path } = new DOMParser().parseFromString(text, "text/html").body.dataset;
      if (path) history.pushState(null, "", path);
      document.open();
      document.write(text);
      document.close();
      // What is shown once stands at the top, however far down the form was.
      scrollTo(0, 0);
      return;
    }
    const fragment = new DOMParser().parseFromString(text, "text/html").querySelector(".errors");
    if (!fragment) {
      form.submit();
      return;
    }
    slot.replaceChildren(fragment);
    markFields(form, slot);
    slot.firstElementChild.focus();
  }

  /** Marks the fields that the errors in `slot` point to. */
  function markFields(form, slot) {
    for (const old of form.querySelectorAll(".field-bad")) old.classList.remove("field-bad");
    for (const old of form.querySelectorAll("[aria-invalid]")) old.removeAttribute("aria-invalid");
    for (const link of slot.querySelectorAll("[data-field]")) {
      const field = document.getElementById(`f-${link.dataset.field}`);
      if (!field || !form.contains(field)) continue;
      field.setAttribute("aria-invalid", "true");
      field.closest(".field")?.classList.add("field-bad");
    }
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    const slot = form.method === "post" && form.querySelector("[data-errors]");
    if (!slot || event.defaultPrevented) return;
    event.preventDefault();
    if (form.dataset.busy) return;
    form.dataset.busy = "true";
    submit(form, event.submitter).finally(() => delete form.dataset.busy);
  });

  // "Copy" next to a link or a secret.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
    const said = button.querySelector("span");
    const before = said.textContent;
    said.textContent = button.dataset.copied;
    setTimeout(() => (said.textContent = before), 2000);
  });

  // A filter that is a select or a date acts at once.
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-auto]")) event.target.form.requestSubmit();
  });

  // All rows of a list at once.
  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-tick-all]")) return;
    for (const box of event.target.form.querySelectorAll("td .tick")) box.checked = event.target.checked;
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-print]")) print();
  });

  // A dialog that opens puts the cursor into its first field.
  document.addEventListener(
    "toggle",
    (event) => {
      if (event.newState === "open") event.target.querySelector(".fields input:not([type=hidden]), .fields textarea, .fields select")?.focus();
    },
    { capture: true },
  );

  // What goes on is shown anew until it is over; without this there is a link.
  const going = document.querySelector("[data-refresh]");
  if (going) setTimeout(() => location.reload(), Number(going.dataset.refresh));

  // Toasts leave by themselves, and the address forgets them.
  const toasts = document.querySelector(".toasts");
  if (toasts) {
    const here = new URL(location.href);
    here.searchParams.delete("done");
    history.replaceState(null, "", here);
    setTimeout(() => toasts.remove(), 8000);
  }
}
