// Checks one record's proof in the reader's browser, from bytes alone. The formats are published: the leaf in
// docs/LOG-FORMAT.md, tree hashes in RFC 6962, checkpoint, note and proof as c2sp.org/tlog-checkpoint, /signed-note and
// /tlog-proof. Nothing that the server says about its own verdict is used.
//
// The exported functions touch neither page nor network: bytes and texts in, findings out.

const EMPTY = new Uint8Array(0);
const utf8 = new TextEncoder();

const concat = (...parts) => {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
};
const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", concat(...parts)));
const equal = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);

/** Bytes of a lower-case hex text; throws on anything else. */
export function fromHex(text) {
  if (!/^(?:[0-9a-f]{2})*$/.test(text)) throw new Error("not hex");
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** Lower-case hex. */
export const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Bytes of a base64 text with padding (RFC 4648, section 4); throws on anything that would not be written so. */
export function fromBase64(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  if (btoa(String.fromCharCode(...bytes)) !== text) throw new Error("not canonical base64");
  return bytes;
}

/** Hash of a leaf: one hash for the chain and for the tree. */
export const leafHash = (leaf) => sha256(Uint8Array.of(0), leaf);

/** What the leaf itself says: position, hash of the leaf before it. */
export function readLeaf(leaf) {
  if (leaf.length < 206) throw new Error("the leaf is too short");
  const view = new DataView(leaf.buffer, leaf.byteOffset, leaf.byteLength);
  if (view.getUint16(0) !== 1) throw new Error("unknown leaf format");
  return { position: view.getBigUint64(8), prev: leaf.slice(32, 64) };
}

/** Reads a `.tlog-proof`: index, path, checkpoint text. */
export function readProof(text) {
  const cut = text.indexOf("\n\n");
  if (cut < 0) throw new Error("the proof has no checkpoint");
  const lines = text.slice(0, cut).split("\n");
  if (lines.shift() !== "c2sp.org/tlog-proof@v1") throw new Error("not a tlog-proof");
  if (lines[0]?.startsWith("extra ")) lines.shift();
  const index = /^index (0|[1-9]\d*)$/.exec(lines.shift() ?? "");
  if (!index) throw new Error("the proof has no index");
  const path = lines.map(fromBase64);
  if (path.some((hash) => hash.length !== 32)) throw new Error("a hash of the path is not 32 bytes");
  return { index: BigInt(index[1]), path, checkpoint: text.slice(cut + 2) };
}

/** Reads a checkpoint: the signed text, origin, size, root, signature lines. */
export function readCheckpoint(note) {
  const cut = note.lastIndexOf("\n\n");
  if (cut < 0 || !note.endsWith("\n")) throw new Error("not a signed note");
  const text = note.slice(0, cut + 1);
  const [origin, size, root] = text.split("\n");
  if (!origin || !/^(0|[1-9]\d*)$/.test(size) || !root) throw new Error("not a checkpoint");
  const signatures = note.slice(cut + 2, -1).split("\n").map((line) => {
    const match = /^\u2014 (\S+) (\S+)$/.exec(line);
    if (!match) throw new Error("not a signature line");
    const bytes = fromBase64(match[2]);
    return { name: match[1], keyId: bytes.slice(0, 4), signature: bytes.slice(4) };
  });
  return { text, origin, size: BigInt(size), root: fromBase64(root), signatures };
}

/** Reads `name+hex(key id)+base64(type ‖ key)`; the key id must follow from the rest. Ed25519 only. */
export async function readVkey(vkey) {
  const [, name, id, key] = /^([^+\s]+)\+([0-9a-f]{8})\+(\S+)$/.exec(vkey.trim()) ?? [];
  if (!name) throw new Error("not a public key");
  const bytes = fromBase64(key);
  if (bytes.length !== 33 || bytes[0] !== 1) throw new Error("not an Ed25519 key");
  const keyId = (await sha256(utf8.encode(`${name}\n`), bytes)).slice(0, 4);
  if (toHex(keyId) !== id) throw new Error("the key does not fit its id");
  return { name, keyId, publicKey: bytes.slice(1) };
}

/** Root of a tree of `size` leaves that this leaf hash and path lead to (RFC 9162, 2.1.3.2); null if the path does not fit. */
export async function rootOfPath(index, size, hash, path) {
  if (index >= size) return null;
  let [fn, sn, root] = [index, size - 1n, hash];
  for (const sibling of path) {
    if (sn === 0n) return null;
    if (fn & 1n || fn === sn) {
      root = await sha256(Uint8Array.of(1), sibling, root);
      while (!(fn & 1n) && fn !== 0n) [fn, sn] = [fn >> 1n, sn >> 1n];
    } else {
      root = await sha256(Uint8Array.of(1), root, sibling);
    }
    [fn, sn] = [fn >> 1n, sn >> 1n];
  }
  return sn === 0n ? root : null;
}

/** Is the checkpoint signed by this key, for the origin that the key names? */
export async function isSigned(checkpoint, key) {
  if (checkpoint.origin !== key.name) return false;
  const line = checkpoint.signatures.find((s) => s.name === key.name && equal(s.keyId, key.keyId));
  if (!line || line.signature.length !== 64) return false;
  const imported = await crypto.subtle.importKey("raw", key.publicKey, { name: "Ed25519" }, false, ["verify"]);
  return crypto.subtle.verify({ name: "Ed25519" }, imported, line.signature, utf8.encode(checkpoint.text));
}

/** A check that ends in "no" when the bytes cannot even be read. */
async function check(work) {
  try {
    return await work();
  } catch (error) {
    return { ok: false, detail: error.message };
  }
}

/**
 * All checks of one record.
 * @param {{position: number|bigint, leaf: string, hash: string, proof: string, vkey: string, previousLeaf?: string}} given
 *   leaf and previousLeaf in hex; previousLeaf is absent at position 0.
 * @returns {Promise<{verdict: "verified"|"broken", checks: Record<string, {ok: boolean, detail: string}>}>}
 */
export async function verifyRecord({ position, leaf, hash, proof, vkey, previousLeaf }) {
  const asked = BigInt(position);
  const computed = await check(async () => ({ ok: true, bytes: await leafHash(fromHex(leaf)) }));
  const own = computed.bytes ?? EMPTY;
  const checks = {
    leaf: { ok: computed.ok && toHex(own) === hash, detail: computed.ok ? toHex(own) : computed.detail },
    link: await check(async () => {
      const says = readLeaf(fromHex(leaf));
      const before = asked === 0n ? new Uint8Array(32) : await leafHash(fromHex(previousLeaf ?? ""));
      return { ok: says.position === asked && equal(says.prev, before), detail: toHex(says.prev) };
    }),
    inclusion: await check(async () => {
      const { index, path, checkpoint } = readProof(proof);
      const { size, root } = readCheckpoint(checkpoint);
      const reached = await rootOfPath(index, size, own, path);
      return { ok: index === asked && reached !== null && equal(reached, root), detail: reached ? toHex(reached) : "" };
    }),
    checkpoint: await check(async () => {
      const signed = readCheckpoint(readProof(proof).checkpoint);
      return { ok: await isSigned(signed, await readVkey(vkey)), detail: vkey.trim() };
    }),
  };
  const verdict = Object.values(checks).every((c) => c.ok) ? "verified" : "broken";
  return { verdict, checks };
}

/** HKDF-Expand-SHA256 of a label, one block (docs/LOG-FORMAT.md, section 4). */
async function kdf(secret, label) {
  const key = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const text = utf8.encode(label);
  const info = concat(Uint8Array.of(text.length), text, Uint8Array.of(1));
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, info));
}

/**
 * Opens a record's body with the record's own secret. The body must be the one that the leaf names, and the secret the one
 * that the body was sealed with: it opens to this text and to no other.
 * @param {{leaf: string, body: string, secret: string}} given all in hex
 * @returns {Promise<Uint8Array>} the text; throws where something does not fit
 */
export async function openBody({ leaf, body, secret }) {
  const [own, sealed, key] = [leaf, body, secret].map(fromHex);
  const view = new DataView(own.buffer, own.byteOffset, own.byteLength);
  if (view.getUint32(164) !== sealed.length || !equal(own.slice(168, 200), await sha256(sealed))) {
    throw new Error("the body is not the one that the record names");
  }
  if (!equal(sealed.slice(16, 48), await kdf(key, "keiin/v1/commitment"))) {
    throw new Error("the secret does not belong to the body");
  }
  const stream = own[200];
  const kind = own.slice(201 + stream, 202 + stream + own[201 + stream]);
  const label = utf8.encode("keiin/v1/body-aad");
  const additionalData = concat(Uint8Array.of(label.length), label, own.slice(16, 32), own.slice(6, 8), kind);
  const raw = await kdf(key, "keiin/v1/key");
  const cipher = await crypto.subtle.importKey("raw", raw, { name: "AES-GCM" }, false, ["decrypt"]);
  const opened = { name: "AES-GCM", iv: new Uint8Array(12), additionalData };
  return new Uint8Array(await crypto.subtle.decrypt(opened, cipher, sealed.slice(48)));
}

/**
 * All checks of a record that says which file was printed, without the record before it.
 * @param {{position: number, leaf: string, body: string, secret: string, proof: string, vkey: string}} given
 * @param {Uint8Array} file SHA-256 of the file in the reader's hands
 * @returns {Promise<Record<string, {ok: boolean, detail: string}>>}
 */
export async function verifyFile(given, file) {
  const { checks } = await verifyRecord({ ...given, hash: toHex(await leafHash(fromHex(given.leaf))) });
  const named = await check(async () => {
    const text = await openBody(given);
    // Postcard: the revision, the hash, the size. Nothing but the hash is 32 bytes that anybody could choose to hit.
    return { ok: toHex(text).includes(toHex(file)), detail: toHex(file) };
  });
  return { file: named, inclusion: checks.inclusion, checkpoint: checks.checkpoint };
}

// ---------- the page ----------

const form = globalThis.document?.querySelector("[data-verify]");

async function read(path) {
  const answer = await fetch(path, { cache: "no-store" });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.text();
}

/** Shows those parts of `element` that are for `state`. */
function show(element, state) {
  for (const part of element.querySelectorAll("[data-for]")) part.hidden = part.dataset.for !== state;
}

/** Takes the last run's outcome off the page, so that a run that fails half-way leaves none standing. */
function forget() {
  const line = document.querySelector("[data-verify-verdict]");
  line.hidden = true;
  delete line.dataset.verdict;
  document.querySelector("[data-stamp]").dataset.stamp = "";
  for (const item of document.querySelectorAll("[data-checks] [data-state]:not([data-state=unwitnessed])")) {
    item.dataset.state = "unchecked";
    show(item, "unchecked");
  }
}

async function run() {
  const position = Number(document.querySelector("[data-position]").dataset.position);
  const pasted = form.elements.vkey.value.trim();
  const [record, proof, vkey, previous] = await Promise.all([
    read(`/v1/events/${position}`).then(JSON.parse),
    read(`/v1/events/${position}/proof`),
    pasted || read("/v1/log/key").then((text) => (text.startsWith("{") ? JSON.parse(text).vkey : text.trim())),
    position > 0 ? read(`/v1/events/${position - 1}`).then(JSON.parse) : {},
  ]);
  const given = { position, leaf: record.leaf, hash: record.hash, proof, vkey, previousLeaf: previous.leaf };
  const { verdict, checks } = await verifyRecord(given);
  for (const [name, { ok, detail }] of Object.entries(checks)) {
    const item = document.querySelector(`[data-check="${name}"]`);
    item.dataset.state = ok ? "verified" : "broken";
    show(item, item.dataset.state);
    item.querySelector("[data-detail]").textContent = detail;
  }
  const line = document.querySelector("[data-verify-verdict]");
  line.dataset.verdict = verdict;
  line.hidden = false;
  show(line, verdict);
  document.querySelector("[data-stamp]").dataset.stamp = verdict;
  const source = document.querySelector("[data-key-source]");
  source.hidden = false;
  show(source, pasted ? "reader" : "server");
}

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const failed = document.querySelector("[data-verify-error]");
  failed.hidden = true;
  forget();
  try {
    await run();
  } catch (error) {
    failed.hidden = false;
    failed.querySelector("[data-error-text]").textContent = error.message;
  }
});
