// Tables from rows and columns.

import { el } from "./elements.js";

/**
 * `columns` are `{ title, cell(row) → node or text, class }`. `caption` is for who can't see the heading above;
 * without rows, `empty` says what that means and what to do. The roles are written out since a phone's style sheet
 * lays some tables out otherwise (`kind: "stack-…"`), which would make browsers forget that they are tables.
 */
export function table(columns, rows, { caption, empty, kind = "" }) {
  if (!rows.length && empty) return el("p", { class: "empty-words" }, empty);
  const heading = ({ title, class: kind }) => el("th", { scope: "col", role: "columnheader", class: kind }, title);
  const cells = (row) => columns.map(({ cell, class: kind }) => el("td", { role: "cell", class: kind }, cell(row)));
  return el("table", { class: `table table-vcenter card-table ${kind}`, role: "table" },
    el("caption", { class: "visually-hidden" }, caption),
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, columns.map(heading))),
    el("tbody", { role: "rowgroup" }, rows.map((row) => el("tr", { role: "row" }, cells(row)))));
}

/** Names with their figures side by side: `facts([["Hits", "12"], …])`. */
export function facts(pairs) {
  return el("dl", { class: "facts" }, pairs.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}
