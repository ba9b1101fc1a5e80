// Passkeys: asks the authenticator what the server wants to know. A form with `data-passkey` says what for: `log-in`,
// `confirm` or `register`. Browsers that cannot do it never see those forms.
"use strict";

{
  const able =
    window.PublicKeyCredential?.parseRequestOptionsFromJSON && PublicKeyCredential.parseCreationOptionsFromJSON;
  if (able) document.documentElement.classList.add("passkeys");

  /** The answer as JSON; a refusal is thrown, with the server's own words. */
  async function send(path, body) {
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
    const json = await answer.json();
    if (!answer.ok) throw json;
    return json;
  }

  /** What a passkey of this person says to a fresh challenge. */
  async function proof() {
    const { ceremony, options } = await send("/v1/sessions/passkey/begin", {});
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options.publicKey);
    const credential = await navigator.credentials.get({ publicKey });
    return { ceremony, credential: credential.toJSON() };
  }

  /** Only ever a page of ours. */
  function go(next) {
    const to = new URL(next || "/", location.origin);
    location.assign(to.origin === location.origin ? to : "/");
  }

  const ways = {
    async "log-in"(form) {
      await send("/v1/sessions/passkey", { ...(await proof()), pending: form.dataset.pending ?? "" });
      go(form.dataset.next);
    },

    async confirm(form) {
      await send("/v1/me/confirm/passkey", await proof());
      go(form.dataset.next);
    },

    async register(form) {
      const { ceremony, options } = await send("/v1/me/passkeys/begin", {});
      const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options.publicKey);
      const credential = (await navigator.credentials.create({ publicKey })).toJSON();
      const made = await send("/v1/me/passkeys", { ceremony, name: form.elements.name.value, credential });
      if (!made.recovery_codes) return go("/account?done=passkey-added");
      const codes = document.getElementById("passkey-codes");
      codes.textContent = made.recovery_codes.join("\n");
      const note = codes.closest("[hidden]");
      note.hidden = false;
      note.querySelector("a, button").focus();
      form.hidden = true;
    },
  };

  /** Says in the form what went wrong: the server's words, or those that the form brought along for the browser's part. */
  function refuse(form, problem) {
    const slot = form.querySelector("[data-why]");
    const ours = problem?.code ? [problem.title, problem.errors?.[0]?.detail ?? problem.detail] : [form.dataset.failed];
    slot.textContent = ours.filter(Boolean).join(" ");
    slot.hidden = false;
    if (problem?.code === "access.confirm_first") go(`/confirm?next=${encodeURIComponent(location.pathname)}`);
  }

  // Inside another form it stands for the field that asks for a code.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-passkey-instead]");
    if (!button) return;
    const field = button.closest(".field");
    try {
      await send("/v1/me/confirm/passkey", await proof());
      for (const old of button.form.querySelectorAll("[name=_proof]")) old.closest(".field").remove();
      field.remove();
    } catch (problem) {
      refuse(field, problem);
    }
  });

  document.addEventListener(
    "submit",
    async (event) => {
      const form = event.target;
      const way = ways[form.dataset.passkey];
      if (!way) return;
      event.preventDefault();
      if (form.dataset.busy) return;
      form.dataset.busy = "true";
      form.querySelector("[data-why]").hidden = true;
      try {
        await way(form);
      } catch (problem) {
        refuse(form, problem);
      } finally {
        delete form.dataset.busy;
      }
    },
    { capture: true },
  );
}
