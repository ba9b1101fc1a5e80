// Rows of a document: add, remove, and sums while typing. The sums are a preview; the server computes those that count.
"use strict";

const table = document.querySelector("[data-lines]");
const body = table.tBodies[0];
const totals = document.querySelector("[data-totals]");
const SCALE = 10_000n; // four decimal places

/** "1,500.25" → 15002500n; full-width digits are fine; null if it is not a number. */
function decimal(text) {
  const plain = text.normalize("NFKC").replace(/[,\s]/g, "");
  const match = /^(-?)(\d{1,12})(?:\.(\d{1,4}))?$/.exec(plain);
  if (!match) return null;
  const value = BigInt(match[2]) * SCALE + BigInt((match[3] ?? "").padEnd(4, "0"));
  return match[1] ? -value : value;
}

const floorDiv = (a, b) => (a >= 0n || a % b === 0n ? a / b : a / b - 1n);
const yen = (amount) => `${amount < 0n ? "−" : ""}¥${(amount < 0n ? -amount : amount).toLocaleString("en")}`;

/** Tax in a subtotal, rounded once, as the server does it. */
function tax(subtotal, rate, inclusive, rounding) {
  const divisor = inclusive ? 100n + rate : 100n;
  const exact = subtotal * rate;
  if (rounding === "half_up") return floorDiv(2n * exact + divisor, 2n * divisor);
  if (rounding === "ceil") return -floorDiv(-exact, divisor);
  return floorDiv(exact, divisor);
}

function sums() {
  const rates = new Map();
  for (const row of body.rows) {
    const field = (name) => row.querySelector(`[name$=".${name}"], [name$=".${name}:bool"]`);
    const quantity = decimal(field("quantity").value);
    const price = decimal(field("unit_price").value);
    const cell = row.querySelector("[data-amount]");
    cell.textContent = "";
    if (quantity === null || price === null) continue;
    const amount = floorDiv(quantity * price, SCALE * SCALE);
    cell.textContent = yen(amount);
    const rate = field("tax_rate").value || "10";
    const entry = rates.get(rate) ?? { subtotal: 0n, inclusive: false };
    entry.subtotal += amount;
    entry.inclusive ||= field("tax_inclusive").value === "true";
    rates.set(rate, entry);
  }
  const rounding = document.querySelector('[name="tax_rounding"]')?.value ?? "floor";
  const lines = [];
  let subtotal = 0n;
  let total = 0n;
  for (const [rate, entry] of [...rates].sort((a, b) => b[0] - a[0])) {
    const part = tax(entry.subtotal, BigInt(rate), entry.inclusive, rounding);
    subtotal += entry.inclusive ? entry.subtotal - part : entry.subtotal;
    total += entry.inclusive ? entry.subtotal : entry.subtotal + part;
    lines.push([totals.dataset.labelTax.replace("#", `${rate}%`), part, "meta"]);
  }
  lines.unshift([totals.dataset.labelSubtotal, subtotal, ""]);
  lines.push([totals.dataset.labelTotal, total, "grand"]);
  totals.replaceChildren(
    ...lines.flatMap(([label, amount, style]) => {
      const [dt, dd] = ["dt", "dd"].map((tag) => Object.assign(document.createElement(tag), { className: style }));
      dt.textContent = label;
      dd.textContent = yen(amount);
      return [dt, dd];
    }),
  );
  totals.hidden = rates.size === 0;
}

/** A new empty row after the last one, numbered on. */
function add() {
  const last = body.rows[body.rows.length - 1];
  const row = last.cloneNode(true);
  const number = Number(/lines\.(\d+)\./.exec(last.innerHTML)[1]);
  for (const element of row.querySelectorAll("[name], [for], [aria-label]")) {
    for (const attribute of ["name", "id", "for"]) {
      const value = element.getAttribute(attribute);
      if (value) element.setAttribute(attribute, value.replace(`lines.${number}.`, `lines.${number + 1}.`));
    }
    if ("value" in element && element.tagName === "INPUT") element.value = "";
    if (element.tagName === "SELECT") element.selectedIndex = 0;
    if (element.tagName === "LABEL") element.textContent = element.textContent.replace(`${number + 1}`, `${number + 2}`);
    const label = element.getAttribute("aria-label");
    if (label) element.setAttribute("aria-label", label.replace(`${number + 1}`, `${number + 2}`));
  }
  row.querySelector("[data-amount]").textContent = "";
  body.append(row);
  row.querySelector("input").focus();
}

table.addEventListener("input", (event) => {
  // A row that is begun gets the usual rate; an empty row has none, so that it is left out.
  const row = event.target.closest("tr");
  const rate = row.querySelector('[name$=".tax_rate"]');
  const begun = [...row.querySelectorAll("input")].some((input) => input.value.trim() !== "");
  if (rate.options[0].value === "" && event.target.tagName === "INPUT") rate.value = begun ? rate.value || "10" : "";
  sums();
});
table.addEventListener("click", (event) => {
  if (!event.target.closest("[data-remove]")) return;
  const row = event.target.closest("tr");
  if (body.rows.length > 1) row.remove();
  else for (const field of row.querySelectorAll("input")) field.value = "";
  sums();
});
document.querySelector("[data-add]").addEventListener("click", add);
document.querySelector('[name="tax_rounding"]')?.addEventListener("change", sums);
sums();
