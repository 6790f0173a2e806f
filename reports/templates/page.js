"use strict";
// Tables that can be sorted and filtered. Without this nothing is missing; what it adds is only there with it.
const LEAST_ROWS = 8; // below, a filter is in the way

// "$1,204", "−€3.50", "<1%" or "0.25" as a number, null for a dash or a word.
function numberOf(text) {
  const found = /^([−+]?)[^\d<]*(<?)([\d,]*\.?\d+)/.exec(text);
  if (!found) return null;
  const size = Number(found[3].replaceAll(",", "")) * (found[2] ? 0.5 : 1);
  return found[1] === "−" ? -size : size;
}

function keyOf(cell) {
  const shown = cell.querySelector("bdi, .marked")?.textContent.trim() ?? "";
  return cell.dataset.key ?? (cell.classList.contains("number") || cell.querySelector(".marked") ? numberOf(shown) : shown);
}

// What is not known comes last, whichever way.
function compared(one, other, sign) {
  if (one === null || one === "") return other === null || other === "" ? 0 : 1;
  if (other === null || other === "") return -1;
  const numbers = typeof one === "number" && typeof other === "number";
  return sign * (numbers ? one - other : String(one).localeCompare(String(other), "en", { numeric: true }));
}

function sortable(table) {
  const body = table.tBodies[0];
  const rest = body.querySelector("tr.rest");
  const rows = [...body.querySelectorAll("tr:not(.rest)")];
  if (rows.length < 2) return;
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, place) => {
    const keys = new Map(rows.map((row) => [row, keyOf(row.cells[place])]));
    if ([...keys.values()].every((key) => key === null || key === "")) return; // nothing but a drawing
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    const first = head.classList.contains("number") ? "descending" : "ascending";
    const then = first === "descending" ? "ascending" : "descending";
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const now = before === null ? first : before === first ? then : null; // the third time as it was
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      let order = rows;
      if (now) {
        head.setAttribute("aria-sort", now);
        order = [...rows].sort((a, b) => compared(keys.get(a), keys.get(b), now === "ascending" ? 1 : -1));
      }
      order.forEach((row) => body.insertBefore(row, rest));
    });
  });
}

function filterable(table) {
  const all = [...table.tBodies[0].rows];
  const rest = all.filter((row) => row.classList.contains("rest")); // sums, of which no word is told
  const rows = all.filter((row) => !rest.includes(row));
  if (rows.length < LEAST_ROWS) return;
  const box = document.createElement("p");
  const label = document.createElement("label");
  const input = document.createElement("input");
  const count = document.createElement("output");
  box.className = "filter";
  input.type = "search";
  input.autocomplete = "off";
  count.setAttribute("aria-live", "polite");
  label.append(`Filter ${table.caption.textContent.toLowerCase()} `, input);
  box.append(label, count);
  const texts = rows.map((row) => row.textContent.toLowerCase());
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    rows.forEach((row, place) => { row.hidden = !words.every((word) => texts[place].includes(word)); });
    rest.forEach((row) => { row.hidden = words.length > 0; });
    count.textContent = words.length ? `${rows.filter((row) => !row.hidden).length} of ${rows.length}` : "";
  });
  table.closest(".scroll").before(box);
}

for (const table of document.querySelectorAll("#tables table")) {
  sortable(table);
  filterable(table);
}
