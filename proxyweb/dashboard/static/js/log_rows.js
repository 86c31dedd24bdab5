// The log's table: values lead to themselves as filters, and a row opens to everything that is known of it.

import { address } from "./api.js";
import { reasonBadge } from "./badges.js";
import { askToBlock, isAddress, isAdmin } from "./blocking.js";
import { el } from "./elements.js";
import { bytes, fullTime, number, time } from "./format.js";
import { filtersOf } from "./log_filters.js";
import { say } from "./words.js";

const COLUMNS = [
  { name: "timestamp", title: "columns.time", cell: (row) => time(row.timestamp) },
  { name: "client_ip", title: "columns.client", cell: (row, link) => link("client", row.client_ip) },
  { name: "method", title: "columns.method", cell: (row, link) => link("method", row.method) },
  { name: "destination", title: "columns.destination", cell: (row, link) => link("domain", row.domain, row.destination) },
  { name: "status", title: "columns.status", cell: (row, link) => link("status", String(row.status_code).padStart(3, "0"), row.status) },
  { name: "reason", title: "columns.reason", cell: (row, link) => row.reason && reasonBadge(row.reason, link.to({ reason: row.reason })) },
  { name: "bytes", title: "columns.bytes", cell: (row) => bytes(row.bytes) },
];
const SORTED = new Set(["timestamp", "client_ip", "method", "destination", "status", "bytes"]);

/** The table of `rows`; `state` is what the page's address holds. */
export function logTable(rows, state, caption) {
  return el("table", { class: "table card-table table-sm logs stack-logs", role: "table" },
    el("caption", { class: "visually-hidden" }, caption),
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" },
      el("th", { scope: "col", role: "columnheader", class: "logs-open" }, el("span", { class: "visually-hidden" }, say("logs.fields.id"))),
      COLUMNS.map((column) => heading(column, state)))),
    el("tbody", { role: "rowgroup" }, rows.flatMap((row) => logRow(row, state))));
}

/** A row and, hidden below it, its details, which are made when it is opened first. */
export function logRow(row, state, kind = "") {
  const link = linkMaker(state);
  const details = el("tr", { class: "logs-details", role: "row", hidden: true, id: `details-${row.id}` });
  const open = el("button", {
    class: "logs-switch", type: "button", "aria-expanded": "false", "aria-controls": details.id,
    "aria-label": say("logs.details", { destination: row.destination }),
    onclick: () => {
      details.hidden = !details.hidden;
      open.setAttribute("aria-expanded", String(!details.hidden));
      if (!details.firstChild) details.append(el("td", { colspan: COLUMNS.length + 1, role: "cell" }, everything(row, link)));
    },
  });
  return [
    el("tr", { class: `${kind} ${row.blocked ? "is-blocked" : ""}`, role: "row", "data-id": row.id },
      el("td", { class: "logs-open", role: "cell" }, open),
      COLUMNS.map(({ name, cell }) => el("td", { class: `logs-${name}`, role: "cell" }, cell(row, link)))),
    details,
  ];
}

function heading({ name, title }, state) {
  const isSorted = SORTED.has(name);
  const attributes = { scope: "col", role: "columnheader", class: `logs-${name}` };
  if (!isSorted) return el("th", attributes, say(title));
  const [by, order] = [state.sort ?? "timestamp", state.order ?? "desc"];
  const isThis = by === name;
  const next = isThis && order === "desc" ? "asc" : "desc";
  const href = address("/logs", { ...filtersOf(state), sort: name, order: next });
  if (isThis) attributes["aria-sort"] = order === "asc" ? "ascending" : "descending";
  return el("th", attributes, el("a", { href, class: "sorter", title: say("logs.sort_by", { column: say(title) }), "data-here": true },
    say(title), isThis ? (order === "asc" ? " ↑" : " ↓") : ""));
}

/** Makes links to this very log with one more filter. */
function linkMaker(state) {
  const to = (filter) => address("/logs", { ...filtersOf(state), sort: state.sort, order: state.order, live: state.live, ...filter });
  const link = (name, value, text = value) => (value
    ? el("a", { href: to({ [name]: value }), class: "value", title: text === value ? say("logs.filter_by", { value }) : `${text}\n${say("logs.filter_by", { value })}`, "data-here": true }, text)
    : el("span", { class: "value", title: text }, text));
  return Object.assign(link, { to });
}

function everything(row, link) {
  const pairs = [
    [say("logs.fields.verdict"), row.reason ? say(`reasons.${row.reason}.why`) : say("logs.not_blocked")],
    [say("columns.time"), fullTime(row.timestamp)],
    [say("columns.client"), link("client", row.client_ip)],
    [say("columns.user"), row.user && link("user", row.user)],
    [say("columns.method"), link("method", row.method)],
    [say("columns.destination"), row.destination],
    [say("columns.host"), row.domain && link("domain", row.domain)],
    [say("columns.status"), row.status],
    [say("logs.fields.result_code"), link("status", row.result_code)],
    [say("columns.bytes"), `${bytes(row.bytes)} (${number(row.bytes)} B)`],
    [say("logs.fields.elapsed_ms"), say("format.milliseconds", { count: number(row.elapsed_ms) })],
    [say("logs.fields.content_type"), row.content_type],
    [say("logs.fields.user_agent"), row.user_agent],
    [say("logs.fields.waf_score"), row.waf && number(row.waf.score)],
    [say("logs.fields.waf_categories"), row.waf?.categories.join(", ")],
    [say("logs.fields.id"), number(row.id)],
  ];
  return [
    el("dl", { class: "fields" }, pairs.filter(([, value]) => value).map(([name, value]) =>
      el("div", {}, el("dt", {}, name), el("dd", {}, value)))),
    isAdmin ? el("div", { class: "fields-actions" }, blockers(row)) : null,
  ];
}

/** Buttons that put the host or the client on its blacklist; once that is done, the word for it. */
function blockers({ domain, client_ip: client }) {
  const button = (kind, name) => {
    const ask = () => askToBlock(kind, name, () => one.replaceWith(el("span", { class: "tag tag-policy tag-listed" }, say("block.listed"))));
    const one = el("button", { class: "btn btn-sm", type: "button", onclick: ask }, say(`block.${kind}.title`, { name }));
    return one;
  };
  return [
    domain && !isAddress(domain) ? button("domain", domain) : null,
    isAddress(client) ? button("client", client) : null,
  ].filter(Boolean);
}
