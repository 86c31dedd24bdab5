// What there is most of: names with a bar and a figure each.

import { bar, byId, el, fill } from "./elements.js";
import { number } from "./format.js";
import { table } from "./table.js";
import { say } from "./words.js";

/** Fill the card `id` with `rows` `[{ name, count, href }]`, most first; `title` is that of the names. */
export function ranking(id, rows, { title, empty, kind = "" }) {
  const most = Math.max(1, ...rows.map(({ count }) => count));
  const heading = byId(`${id}-title`).textContent;
  fill(byId(id), table([
    { title, cell: ({ name, count, href }) => [el(href ? "a" : "span", { href, class: "name", title: name }, name), bar(count / most, kind)], class: "ranking-name" },
    { title: say("columns.requests"), cell: ({ count }) => number(count), class: "text-end ranking-count" },
  ], rows, { caption: heading, empty, kind: "table-sm ranking" }));
}
