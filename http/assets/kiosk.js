// The reception screen: keypad, QR readers that type, back to the first screen after a minute.
"use strict";

const code = document.getElementById("f-code");

if (code) {
  document.querySelector(".keys").addEventListener("click", (event) => {
    const key = event.target.closest("[data-key]")?.dataset.key;
    if (key === undefined) return;
    if (key === "clear") code.value = "";
    else if (key === "back") code.value = code.value.slice(0, -1);
    else if (code.value.length < 8) code.value += key;
  });
  // People type spaces and full-width digits.
  code.form.addEventListener("submit", () => (code.value = code.value.normalize("NFKC").replace(/\s/g, "")), { capture: true });
}

// Nobody should find the previous visitor's screen.
const IDLE_MS = 60_000;
let idle;
function restart() {
  clearTimeout(idle);
  const dirty = document.querySelector(".errors") || [...document.querySelectorAll("input:not([type=hidden])")].some((i) => i.value);
  if (document.body.dataset.view || dirty) idle = setTimeout(() => location.assign("/kiosk"), IDLE_MS);
}
for (const kind of ["pointerdown", "keydown", "input"]) document.addEventListener(kind, () => setTimeout(restart));
restart();
if (["done_in", "done_out", "done_walk_in"].includes(document.body.dataset.view)) {
  setTimeout(() => location.assign("/kiosk"), 12_000);
}
