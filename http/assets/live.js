// The audit room: says how many records came since the page was loaded. Without this file the page stays as it was.
"use strict";

const fresh = document.querySelector("[data-stream]");
const number = fresh.querySelector("b");
const address = new URL(fresh.dataset.stream, location);
let source;

function told(event) {
  number.textContent = Number(number.textContent) + 1;
  fresh.hidden = false;
  address.searchParams.set("after", JSON.parse(event.data).position);
}

// Browsers open few connections to a host, so a page that nobody looks at has none.
function follow() {
  source?.close();
  if (document.hidden) return;
  source = new EventSource(address);
  for (const { value } of document.querySelectorAll("[name=kind] option")) {
    if (value) source.addEventListener(value, told);
  }
}

document.addEventListener("visibilitychange", follow);
follow();
