// The questions of a reception: add one, put them in another order. Without this the page edits them where they stand.
"use strict";

{
  const list = document.querySelector("[data-questions]");

  const rows = () => [...list.querySelectorAll("[data-question]")];

  /** Names follow from the place. */
  function renumber() {
    rows().forEach((row, at) => {
      for (const element of row.querySelectorAll("*")) {
        for (const name of ["name", "id", "for"]) {
          const value = element.getAttribute(name);
          if (value) element.setAttribute(name, value.replace(/questions\.\d+\./, `questions.${at}.`));
        }
      }
    });
  }

  document.addEventListener("click", (event) => {
    const move = event.target.closest("[data-move]");
    if (move) {
      const row = move.closest("[data-question]");
      if (move.dataset.move === "1") row.nextElementSibling?.after(row);
      else row.previousElementSibling?.before(row);
      renumber();
      move.focus();
    } else if (event.target.closest("[data-add]")) {
      const row = rows().at(-1).cloneNode(true);
      for (const field of row.querySelectorAll("input, select")) {
        if (field.type === "checkbox") field.checked = false;
        else field.value = "";
      }
      list.append(row);
      renumber();
      row.querySelector("select").focus();
    }
  });

  // Whoever asks something means somebody: as a rule whoever was not expected.
  list?.addEventListener("change", (event) => {
    if (!event.target.name?.endsWith(".field")) return;
    const row = event.target.closest("[data-question]");
    const [walkIn, checkIn] = row.querySelectorAll("[type=checkbox]");
    if (event.target.value && !checkIn.checked) walkIn.checked = true;
    const isChoice = event.target.value === "choice";
    row.querySelector("details").open = isChoice;
    if (!event.target.value) for (const box of row.querySelectorAll("[type=checkbox]")) box.checked = false;
  });
}
