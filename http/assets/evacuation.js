// The evacuation list: kept by a worker for when the network is gone, and ticked off on this device. On the list itself it says
// how old it is and remembers the ticks; on the other pages of the reception it keeps the copy fresh.
"use strict";

const list = document.querySelector("[data-evacuation]");

async function keepFresh() {
  if (!("serviceWorker" in navigator)) return;
  try {
    await navigator.serviceWorker.register("/evacuation-worker.js", { scope: "/evacuation" });
    const registration = await navigator.serviceWorker.getRegistration("/evacuation");
    const worker = registration?.active ?? registration?.waiting ?? registration?.installing;
    worker?.postMessage("refresh");
    document.documentElement.dataset.kept = worker ? "true" : "";
  } catch {
    // Without a worker the page needs the network, as any other.
  }
}

function showAge() {
  const age = list.querySelector("[data-age]");
  const minutes = Math.max(0, Math.floor((Date.now() - Date.parse(list.dataset.evacuation)) / 60000));
  age.textContent = (minutes === 0 ? age.dataset.now : age.dataset.text).replace("{n}", minutes);
  list.classList.toggle("is-old", minutes >= 5);
}

// Ticks belong to one arrival, so they are stored by visit and time; nothing that is stored names anybody.
const TICKS = "evacuation-ticks";

function stored() {
  try {
    return new Set(JSON.parse(localStorage.getItem(TICKS) ?? "[]"));
  } catch {
    return new Set();
  }
}

function count() {
  const boxes = [...list.querySelectorAll("[data-tick]")];
  const safe = boxes.filter((box) => box.checked).length;
  list.querySelector("[data-safe]").textContent = safe;
  list.querySelector("[data-missing]").textContent = boxes.length - safe;
}

function ticks() {
  const ticked = stored();
  for (const box of list.querySelectorAll("[data-tick]")) box.checked = ticked.has(box.dataset.tick);
  list.addEventListener("change", (event) => {
    if (!event.target.matches("[data-tick]")) return;
    const { tick } = event.target.dataset;
    if (event.target.checked) ticked.add(tick);
    else ticked.delete(tick);
    localStorage.setItem(TICKS, JSON.stringify([...ticked]));
    count();
  });
  list.querySelector("[data-untick]").addEventListener("click", () => {
    localStorage.removeItem(TICKS);
    ticked.clear();
    for (const box of list.querySelectorAll("[data-tick]")) box.checked = false;
    count();
  });
  count();
}

keepFresh();
setInterval(keepFresh, 60000);
if (list) {
  showAge();
  setInterval(showAge, 15000);
  ticks();
}
