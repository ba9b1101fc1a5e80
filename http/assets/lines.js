// Rows of a document: add, remove, and what they come to while somebody types. The server does the sums, the same as when
// the document is saved; here they are only shown.
"use strict";

const table = document.querySelector("[data-lines]");
const body = table.tBodies[0];
const totals = document.querySelector("[data-totals]");
const why = document.querySelector("[data-totals-why]");
const DELAY_MS = 200;

const yen = ({ amount }) => `${amount < 0 ? "−" : ""}¥${Math.abs(amount).toLocaleString("en")}`;

/** The field of a row; a name may end in the kind of its value (`:bool`). */
const field = (row, name) => row.querySelector(`[name$=".${name}"], [name$=".${name}:bool"]`);
const text = (row, name) => field(row, name).value.trim();

/** A row as the API takes it; null while its numbers are missing. */
function line(row) {
  const [quantity, unit_price] = [text(row, "quantity"), text(row, "unit_price")];
  if (!quantity || !unit_price) return null;
  return {
    // A row has an amount before it has a description.
    description: text(row, "description") || "-",
    quantity,
    unit: text(row, "unit"),
    unit_price,
    tax_rate: text(row, "tax_rate") || "10",
    tax_inclusive: field(row, "tax_inclusive").value === "true",
    has_jp_withholding_tax: field(row, "has_jp_withholding_tax").checked,
  };
}

let asked = new AbortController();
let timer;

/** Asks soon: whoever types on is asked for once. */
function sums() {
  clearTimeout(timer);
  asked.abort();
  timer = setTimeout(ask, DELAY_MS);
}

async function ask() {
  const rows = [...body.rows].map((row) => ({ row, line: line(row) }));
  const whole = rows.filter(({ line }) => line);
  for (const { row, line } of rows) if (!line) amount(row, "");
  if (whole.length === 0) {
    totals.hidden = true;
    why.textContent = "";
    return;
  }
  const rounding = document.querySelector('[name="tax_rounding"]')?.value || totals.dataset.rounding;
  const request = { lines: whole.map(({ line }) => line), ...(rounding && { tax_rounding: rounding }) };
  asked = new AbortController();
  try {
    const answer = await fetch(`/v1/documents/totals?lang=${document.documentElement.lang}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(request),
      signal: asked.signal,
    });
    const said = await answer.json();
    if (answer.ok) show(whole, said);
    else refused(whole, said);
  } catch {
    // Asked again since, or no connection: what was saved is computed when it is saved.
  }
}

/** What a row comes to, or why that cannot be said, under its description. */
function amount(row, said, reason = "") {
  row.querySelector("[data-amount]").textContent = said;
  row.querySelector("[data-why]")?.remove();
  if (!reason) return;
  const hint = Object.assign(document.createElement("p"), { className: "hint", textContent: reason });
  hint.dataset.why = "";
  row.cells[0].append(hint);
}

function show(rows, said) {
  why.textContent = "";
  rows.forEach(({ row }, n) => amount(row, yen(said.lines[n].amount)));
  const words = totals.dataset;
  const parts = [[words.labelSubtotal, yen(said.totals.subtotal), ""]];
  for (const rate of said.totals.by_rate.toReversed()) {
    parts.push([words.labelTax.replace("#", `${rate.tax_rate}%`), yen(rate.tax), "meta"]);
  }
  parts.push([words.labelTotal, yen(said.totals.total), "grand"]);
  if (said.jp_withholding_tax.amount > 0) {
    parts.push([words.labelWithheld, `−${yen(said.jp_withholding_tax)}`, "meta"]);
    parts.push([words.labelPayable, yen(said.payable), "grand"]);
  }
  totals.replaceChildren(
    ...parts.flatMap(([label, value, style]) => {
      const [dt, dd] = ["dt", "dd"].map((tag) => Object.assign(document.createElement(tag), { className: style }));
      dt.textContent = label;
      dd.textContent = value;
      return [dt, dd];
    }),
  );
  totals.hidden = false;
}

/** At the row that is meant, quietly; what is about all of them stands below. */
function refused(rows, problem) {
  totals.hidden = true;
  why.textContent = "";
  for (const { pointer, detail } of problem.errors ?? []) {
    const at = /^\/lines\/(\d+)/.exec(pointer);
    if (at && rows[at[1]]) amount(rows[at[1]].row, "", detail);
    else why.textContent = detail;
  }
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
    if (element.type === "checkbox") element.checked = false;
    else if ("value" in element && element.tagName === "INPUT") element.value = "";
    if (element.tagName === "SELECT") element.selectedIndex = 0;
    if (element.tagName === "LABEL") element.textContent = element.textContent.replace(`${number + 1}`, `${number + 2}`);
    const label = element.getAttribute("aria-label");
    if (label) element.setAttribute("aria-label", label.replace(`${number + 1}`, `${number + 2}`));
  }
  amount(row, "");
  body.append(row);
  row.querySelector("input").focus();
}

/** A description of the catalog fills in the rest of its row, unless somebody has written a price there. */
function fromCatalog(row) {
  const described = field(row, "description");
  const item = [...(described.list?.options ?? [])].find((option) => option.value === described.value);
  if (!item || text(row, "unit_price")) return;
  field(row, "quantity").value ||= "1";
  field(row, "unit").value = item.dataset.unit;
  field(row, "unit_price").value = item.dataset.unitPrice;
  field(row, "tax_rate").value = item.dataset.taxRate;
  field(row, "tax_inclusive").value = item.dataset.taxInclusive;
  field(row, "has_jp_withholding_tax").checked = item.dataset.withheld === "true";
}

table.addEventListener("input", (event) => {
  // A row that is begun gets the usual rate; an empty row has none, so that it is left out.
  const row = event.target.closest("tr");
  const rate = field(row, "tax_rate");
  const begun = [...row.querySelectorAll("input:not([type=checkbox])")].some((input) => input.value.trim() !== "");
  if (rate.options[0].value === "" && event.target.tagName === "INPUT") rate.value = begun ? rate.value || "10" : "";
  if (event.target.matches('[name$=".description"]')) fromCatalog(row);
  sums();
});
table.addEventListener("click", (event) => {
  if (!event.target.closest("[data-remove]")) return;
  const row = event.target.closest("tr");
  if (body.rows.length > 1) row.remove();
  else {
    for (const input of row.querySelectorAll("input")) input.type === "checkbox" ? (input.checked = false) : (input.value = "");
  }
  sums();
});
document.querySelector("[data-add]").addEventListener("click", add);
document.querySelector('[name="tax_rounding"]')?.addEventListener("change", sums);
ask();
