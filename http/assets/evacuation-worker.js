// Keeps the evacuation list, so that it can be read when the network or the server is gone. `SHELL` stands before this file:
// what the page needs beside itself. The list is asked of the server first, always; the copy is for when there is no answer.
// A copy goes when the login has ended, and after a day.
"use strict";

const KEPT = "evacuation";
const PAGE = "/evacuation";
const DAY_MS = 24 * 60 * 60 * 1000;

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(KEPT).then((cache) => cache.addAll(SHELL)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

/** A copy that says when it was made. */
async function keep(answer) {
  const headers = new Headers(answer.headers);
  headers.set("x-kept-at", String(Date.now()));
  const cache = await caches.open(KEPT);
  await cache.put(PAGE, new Response(await answer.text(), { status: 200, headers }));
}

async function list(request) {
  const cache = await caches.open(KEPT);
  try {
    const answer = await fetch(request);
    if (answer.ok && !answer.redirected) await keep(answer.clone());
    // Logged out, or not allowed any more: nobody reads the copy on this device either.
    else if (answer.status < 500) await cache.delete(PAGE);
    if (answer.status < 500) return answer;
    return (await kept(cache)) ?? answer;
  } catch (error) {
    const copy = await kept(cache);
    if (copy) return copy;
    throw error;
  }
}

async function kept(cache) {
  const copy = await cache.match(PAGE);
  if (!copy) return undefined;
  if (Date.now() - Number(copy.headers.get("x-kept-at")) > DAY_MS) {
    await cache.delete(PAGE);
    return undefined;
  }
  return copy;
}

self.addEventListener("fetch", (event) => {
  const address = new URL(event.request.url);
  if (event.request.method !== "GET" || address.origin !== location.origin) return;
  if (address.pathname === PAGE) event.respondWith(list(event.request));
  else if (SHELL.includes(address.pathname)) {
    event.respondWith(caches.match(event.request).then((found) => found ?? fetch(event.request)));
  }
});

// Pages of the reception ask for a fresh copy from time to time.
self.addEventListener("message", (event) => {
  if (event.data === "refresh") event.waitUntil(list(new Request(PAGE, { credentials: "same-origin" })).catch(() => {}));
});
