// Keeps a kiosk's empty screens and their files, and nothing else: with the network down a visitor still finds the
// reception. The network comes first, so a new release or a revoked kiosk is seen at the next screen.
"use strict";

const SHELL = "keiin-kiosk";
const PATIENCE_MS = 3_000;

addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));

addEventListener("message", (event) => {
  const { assets, pages, forget } = event.data;
  if (forget) event.waitUntil(caches.delete(SHELL));
  else if (assets) event.waitUntil(keep(assets, pages).catch(() => {}));
});

async function keep(assets, pages) {
  const shell = await caches.open(SHELL);
  const wanted = new Set(assets);
  for (const request of await shell.keys()) {
    const isAsset = new URL(request.url).pathname.startsWith("/assets/");
    if (isAsset && !wanted.has(request.url)) await shell.delete(request);
  }
  for (const url of wanted) if (!(await shell.match(url))) await shell.add(url);
  for (const page of pages) await shell.add(page);
}

/** One screen whatever its language: both are on it. */
function screen(url) {
  const view = url.searchParams.get("view");
  return view ? `/kiosk?view=${encodeURIComponent(view)}` : "/kiosk";
}

async function page(url) {
  try {
    const answer = await fetch(url, { credentials: "same-origin", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (answer.status === 401) await caches.delete(SHELL);
    if (answer.status < 500) return answer;
    return (await caches.match(screen(url))) ?? answer;
  } catch (error) {
    const kept = await caches.match(screen(url));
    if (kept) return kept;
    throw error;
  }
}

addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  if (url.pathname === "/kiosk") event.respondWith(page(url));
  else if (url.pathname.startsWith("/assets/")) {
    event.respondWith(caches.match(request).then((kept) => kept ?? fetch(request)));
  }
});
