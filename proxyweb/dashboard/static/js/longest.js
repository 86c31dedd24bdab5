// How long requests took, by one thing that they have in common after another: the longest, and on average.

import { el, refill } from "./elements.js";
import { lasted, number } from "./format.js";
import { table } from "./table.js";
import { say } from "./words.js";

let chosen = "clients";

/** A choice of what to rank by, and below it the values with the longest requests; `found` is the API's `longest`. */
export function longest(found) {
  const shown = el("div", { class: "longest" });
  const show = () => refill(shown, ranked(found[chosen]));
  const options = Object.keys(found).map((name) => el("option", { value: name }, say(`results.longest.by.${name}`)));
  const choice = el("select", {
    class: "form-select form-select-sm longest-choice", "aria-label": say("results.longest.choice"),
    onchange: ({ target }) => { chosen = target.value; show(); },
  }, options);
  choice.value = chosen;
  show();
  return [el("div", { class: "longest-header" }, el("h3", { class: "subheader" }, say("results.longest.title")), choice), shown];
}

function ranked(rows) {
  const of = (field) => (row) => lasted(row[field]);
  return table([
    { title: say(`results.longest.by.${chosen}`), cell: ({ name }) => el("span", { class: "name", title: name }, name), class: "ranking-name" },
    { title: say("columns.longest"), cell: of("longest_ms"), class: "text-end text-nowrap" },
    { title: say("columns.mean"), cell: of("mean_ms"), class: "text-end text-nowrap" },
    { title: say("columns.in_all"), cell: of("elapsed_ms"), class: "text-end text-nowrap longest-all" },
    { title: say("columns.requests"), cell: ({ count }) => number(count), class: "text-end text-nowrap longest-count" },
  ], rows, { caption: say("results.longest.title"), empty: say("results.longest.empty"), kind: "table-sm" });
}
