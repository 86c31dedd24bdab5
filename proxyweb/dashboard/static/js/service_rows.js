// Shadow IT's table: categories, and in each the services in use, with a status that an admin changes in place.

import { el, fill } from "./elements.js";
import { bytes, meanTime, number, time } from "./format.js";
import { logOf } from "./leads.js";
import { sinceOf } from "./log_links.js";
import { say } from "./words.js";

const STATUSES = ["approved", "not approved", "under review"];
const COLUMNS = [
  { name: "name", title: "shadow_it.service" },
  { name: "risk", title: "shadow_it.risk" },
  { name: "requests", title: "columns.requests", text: (service) => number(service.requests) },
  { name: "blocked", title: "columns.blocked", text: (service) => number(service.blocked) },
  { name: "clients", title: "shadow_it.clients", text: (service) => number(service.clients) },
  { name: "bytes", title: "columns.bytes", text: (service) => bytes(service.bytes) },
  { name: "mean", title: "columns.mean", text: meanTime },
  { name: "first", title: "shadow_it.first_seen", text: (service) => time(service.first_seen) },
  { name: "last", title: "shadow_it.last_seen", text: (service) => time(service.last_seen) },
  { name: "status", title: "columns.status" },
];
const FIGURES = COLUMNS.filter(({ text }) => text);

/** The words for a status; "" is none. */
function statusWords(status) {
  return say(`shadow_it.statuses.${(status || "none").replace(" ", "_")}`);
}

/** The table without rows, and its body. */
export function serviceTable() {
  const body = el("tbody", { role: "rowgroup" });
  const headings = COLUMNS.map(({ name, title }) => el("th", { scope: "col", role: "columnheader", class: `service-${name}` }, say(title)));
  const table = el("table", { class: "table table-vcenter card-table services stack-services", role: "table" },
    el("caption", { class: "visually-hidden" }, say("shadow_it.table")),
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, headings)),
    body);
  return { table, body };
}

/** The heading of a category, for `lastingRows`. */
export function categoryRow(category) {
  const counts = el("span", { class: "services-counts" });
  const node = el("tr", { role: "row", class: "services-category" },
    el("th", { scope: "colgroup", role: "columnheader", colspan: COLUMNS.length }, category, " ", counts));
  return {
    node,
    update: ({ services, requests }) => fill(counts, say("shadow_it.counts", { services: number(services), requests: number(requests) })),
  };
}

/** A service's row, for `lastingRows`, whose values are `{ service, window }`; without `store`, the status is only said. */
export function serviceRow(name, store) {
  const cells = Object.fromEntries(COLUMNS.map((column) =>
    [column.name, el("td", { role: "cell", class: `service-${column.name}`, "data-label": say(column.title) })]));
  const status = store ? statusField(name, store) : statusTag();
  cells.status.append(...status.nodes);
  let lately = {};
  function update({ service, window }) {
    if (lately.window === window && lately.service === service) return;
    if (lately.window !== window || lately.service.domain !== service.domain) fill(cells.name, ...nameOf(service, window));
    lately = { window, service };
    fill(cells.risk, service.risk ? el("span", { class: `tag tag-risk-${service.risk}` }, say(`shadow_it.risks.${service.risk}`)) : null);
    for (const figure of FIGURES) fill(cells[figure.name], figure.text(service));
    cells.blocked.classList.toggle("is-some", service.blocked > 0);
    status.update(service.status);
  }
  return { node: el("tr", { role: "row", "data-service": name }, Object.values(cells)), update };
}

function nameOf({ name, domain, domains, note }, window) {
  const href = logOf({ service: name, since: sinceOf(window) });
  const more = domains.length > 1 ? ` ${say("shadow_it.more_domains", { count: number(domains.length - 1) })}` : "";
  return [
    el("a", { href, class: "service-link", title: say("shadow_it.in_the_log", { name }) }, name),
    el("span", { class: "service-domain", title: domains.join("\n") }, domain, more),
    note ? el("span", { class: "service-note" }, note) : null,
  ];
}

function statusTag() {
  const tag = el("span", {});
  function update(status) {
    tag.className = `tag tag-status-${(status || "none").replace(" ", "-")}`;
    fill(tag, statusWords(status));
  }
  return { nodes: [tag], update };
}

/** A choice of the status, and below it why it could not be stored; `store(name, status)` rejects with that. */
function statusField(name, store) {
  const none = el("option", { value: "", disabled: true }, statusWords(""));
  const select = el("select", { "aria-label": say("shadow_it.status_of", { name }), onchange: change },
    none, STATUSES.map((status) => el("option", { value: status }, statusWords(status))));
  const said = el("p", { class: "service-said", role: "alert" });

  async function change() {
    fill(said);
    try {
      await store(name, select.value);
    } catch (error) {
      fill(said, error.message);
    }
  }

  function update(status) {
    select.value = status;
    select.className = `form-select form-select-sm status-${(status || "none").replace(" ", "-")}`;
    none.hidden = Boolean(status);
  }
  return { nodes: [select, said], update };
}
