// What a kiosk could not send: codes that visitors showed, and forms that they filled in, while the network was down. Sealed with a key that leaves this
// browser in no way (AES-GCM, not extractable), sent in their order with the key that they were first sent with, so that
// what has arrived after all is not done twice.
"use strict";

{
  const AGAIN_MS = 2_000;
  let kiosk;
  let sending;
  let busy = false;

  const done = (request) =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });

  function open() {
    const request = indexedDB.open("keiin-kiosk", 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("keys");
      request.result.createObjectStore("held", { autoIncrement: true });
    };
    return done(request);
  }

  async function store(name, mode, run) {
    const database = await open();
    try {
      return await run(database.transaction(name, mode).objectStore(name));
    } finally {
      database.close();
    }
  }

  async function sealingKey() {
    const known = await store("keys", "readonly", (keys) => done(keys.get("sealing")));
    if (known) return known;
    const made = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
    await store("keys", "readwrite", (keys) => done(keys.put(made, "sealing")));
    return made;
  }

  /** Keeps what could not be sent; its number. */
  async function keep(action, fields) {
    const text = JSON.stringify({ action: new URL(action, location.href).pathname, fields, since: Date.now() });
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const box = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, await sealingKey(), new TextEncoder().encode(text));
    const id = await store("held", "readwrite", (held) => done(held.add({ iv, box })));
    soon();
    return id;
  }

  const count = () => store("held", "readonly", (held) => done(held.count()));
  const drop = (id) => store("held", "readwrite", (held) => done(held.delete(id)));

  /** The device may do nothing any more: nothing of a visitor stays on it. */
  async function forget() {
    await store("held", "readwrite", (held) => done(held.clear()));
    await store("keys", "readwrite", (keys) => done(keys.clear()));
  }

  function soon() {
    clearTimeout(sending);
    sending = setTimeout(flush, AGAIN_MS);
  }

  async function flush() {
    clearTimeout(sending);
    if (busy) return;
    busy = true;
    await all().catch(soon);
    busy = false;
  }

  async function all() {
    for (const id of await store("held", "readonly", (held) => done(held.getAllKeys()))) {
      const { iv, box } = await store("held", "readonly", (held) => done(held.get(id)));
      let kept;
      try {
        const text = await crypto.subtle.decrypt({ name: "AES-GCM", iv }, await sealingKey(), box);
        kept = JSON.parse(new TextDecoder().decode(text));
      } catch {
        await drop(id); // of a key that is gone
        continue;
      }
      let answer;
      try {
        answer = await kiosk.post(kept.action, [...kept.fields, ["_since", String(kept.since)]]);
      } catch {
        soon();
        return;
      }
      if (answer.status === 401) {
        await forget();
        location.assign("/kiosk");
        return;
      }
      if (answer.status === 429) {
        soon();
        return;
      }
      const html = await answer.text();
      await drop(id);
      kiosk.answered(id, html);
    }
  }

  // Without a secure connection browsers seal nothing; then nothing is kept.
  if (window.crypto?.subtle && window.indexedDB) {
    window.kiosk = Object.assign(window.kiosk ?? {}, {
      held: {
        keep,
        count,
        forget,
        start(outer) {
          kiosk = outer;
          addEventListener("online", flush);
          flush();
        },
      },
    });
  }
}
