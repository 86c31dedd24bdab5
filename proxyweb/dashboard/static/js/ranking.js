// Names with how often they were counted, most first, each with a bar.

import { bar, el } from "./elements.js";
import { meanTime, number } from "./format.js";
import { table } from "./table.js";
import { say } from "./words.js";

/**
 * A table of `rows` `[{ name, count, href }]`; `title` is the names' heading, `kind` the bars' colour. Where it
 * `isTimed`, rows have `elapsed_ms` and `mean_ms`, too.
 */
export function ranking(rows, { title, caption, empty, kind = "", isTimed = false }) {
  const most = Math.max(1, ...rows.map(({ count }) => count));
  return table([
    { title, cell: ({ name, count, href }) => [el(href ? "a" : "span", { href, class: "name", title: name }, name), bar(count / most, kind)], class: "ranking-name" },
    { title: say("columns.requests"), cell: ({ count }) => number(count), class: "text-end ranking-count" },
    ...(isTimed ? [{ title: say("columns.mean"), cell: meanTime, class: "text-end ranking-mean" }] : []),
  ], rows, { caption, empty, kind: "table-sm ranking" });
}
