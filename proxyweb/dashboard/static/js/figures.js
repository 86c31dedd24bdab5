// The figures of lists of clients and domains: columns whose cells say on a phone, where headings are gone, what they are.

import { bar, el } from "./elements.js";
import { bytes, meanTime, number, percent } from "./format.js";
import { say } from "./words.js";

/** Requests, with a bar against the `most` of the list. */
export function requestsColumn(most) {
  const cell = (row) => [number(row.requests), unit("requests"), bar(row.requests / most)];
  return { title: say("columns.requests"), cell, class: "list-count" };
}

/** How many were blocked, and which share that is. */
export function blockedColumn() {
  const cell = (row) => [number(row.blocked), unit("blocked"), el("span", { class: "list-share" }, percent(row.blocked, row.requests)),
    bar(row.requests ? row.blocked / row.requests : 0, "bar-blocked")];
  return { title: say("columns.blocked"), cell, class: "list-blocked" };
}

/** Bytes to clients. */
export function bytesColumn() {
  return { title: say("columns.bytes"), cell: (row) => bytes(row.bytes), class: "list-bytes" };
}

/** How long requests took on average; phones have no room for it. */
export function meanColumn() {
  return { title: say("columns.mean"), cell: meanTime, class: "list-mean" };
}

function unit(name) {
  return el("span", { class: "list-unit" }, ` ${say(`lists.${name}`)}`);
}
