// Is this file what the company issued? The file is hashed here and stays here; what the server answers for the hash is
// checked here, with the functions of verify.js.

const page = document.querySelector("[data-check-file]");
const { fromHex, toHex, verifyFile } = await import(page.dataset.module);
const input = page.querySelector("input[type=file]");
const drop = page.querySelector("[data-drop]");

/** Shows one outcome, hides the others. */
function outcome(name) {
  for (const part of document.querySelectorAll("[data-outcome]")) part.hidden = part.dataset.outcome !== name;
}

/** Puts texts where the outcome wants them. */
function fill(texts) {
  for (const [name, text] of Object.entries(texts)) {
    for (const place of document.querySelectorAll(`[data-fill="${name}"]`)) place.textContent = text;
  }
}

async function checked(file) {
  outcome("busy");
  const hash = toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer())));
  fill({ name: file.name, hash });
  const answer = await fetch(`/v1/checks/${hash}`, { cache: "no-store" });
  if (answer.status === 404) return outcome("unknown");
  if (!answer.ok) throw new Error(`${answer.status}`);
  const found = await answer.json();
  const checks = await verifyFile({ ...found.record, proof: found.proof, vkey: found.vkey }, fromHex(hash));
  for (const [name, { ok }] of Object.entries(checks)) {
    const item = document.querySelector(`[data-check="${name}"]`);
    item.dataset.state = ok ? "verified" : "broken";
    for (const part of item.querySelectorAll("[data-for]")) part.hidden = part.dataset.for !== item.dataset.state;
  }
  const holds = Object.values(checks).every(({ ok }) => ok);
  fill({
    company: found.company.name,
    registration: found.company.registration_number,
    number: found.number,
    issued: found.issued_on,
    position: String(found.record.position),
  });
  for (const type of document.querySelectorAll("[data-type]")) type.hidden = type.dataset.type !== found.document_type;
  const state = found.cancelled ? "cancelled" : found.revision < found.newest_revision ? "replaced" : "holds";
  for (const part of document.querySelectorAll("[data-state-of]")) part.hidden = part.dataset.stateOf !== state;
  outcome(holds ? "genuine" : "broken");
}

async function run(file) {
  if (!file) return;
  try {
    await checked(file);
  } catch (error) {
    fill({ error: error.message });
    outcome("failed");
  }
}

input.addEventListener("change", () => run(input.files[0]));
for (const name of ["dragenter", "dragover"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.dataset.over = "";
  });
}
drop.addEventListener("dragleave", () => delete drop.dataset.over);
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  delete drop.dataset.over;
  run(event.dataTransfer.files[0]);
});
