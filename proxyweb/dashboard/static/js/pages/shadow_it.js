// Shadow IT: services that people bring to work themselves, what the admins say of them, and what is new.

import { get, send } from "../api.js";
import { choices } from "../choices.js";
import { byId, el, fill } from "../elements.js";
import { bytes, number, time } from "../format.js";
import { arrange, lastingRows } from "../lasting_rows.js";
import { logOf, pageOfClient } from "../leads.js";
import { live } from "../live.js";
import { categoryRow, serviceRow, serviceTable } from "../service_rows.js";
import { table } from "../table.js";
import { say } from "../words.js";

const NEW_SINCE = "-7d";
const isAdmin = document.body.dataset.role === "admin";
const { chosen, asked } = choices({ window: "7d", search: "", category: "", status: "" }, changed, () => show({ isAsked: true }));
const services = serviceTable();
const rowOf = lastingRows((name) => serviceRow(name, isAdmin ? setStatus : null));
const headingOf = lastingRows(categoryRow);
const beingSet = new Map();
let used = [];
let shownNew = "";
let shownWindow = null;

const now = live(asked(refresh), { focused: 15, idle: 60 });

async function refresh(signal) {
  const { window } = chosen;
  const [inUse, fresh] = await Promise.all([
    get("/api/analytics/shadow-it", { window }, signal), get("/api/analytics/first-seen", { since: NEW_SINCE }, signal),
  ]);
  used = inUse.data;
  show({ isAsked: window !== shownWindow });
  shownWindow = window;
  showNew(fresh.data);
}

function changed() {
  if (chosen.window === shownWindow) show({ isAsked: true });
  now();
}

/** What is being stored counts at once, until it could not be, or figures asked for after it are there. */
async function setStatus(name, status) {
  beingSet.set(name, status);
  show();
  try {
    await send("PUT", `/api/analytics/shadow-it/${encodeURIComponent(name)}`, { status });
    await now();
  } finally {
    if (beingSet.get(name) === status) beingSet.delete(name);
    show();
  }
}

function show({ isAsked = false } = {}) {
  const all = used.map((service) => (
    beingSet.has(service.name) ? { ...service, status: beingSet.get(service.name) } : service));
  figures(all);
  categoryChoice(all);
  const matching = all.filter(matches);
  fill(byId("found"), say("shadow_it.found", { count: number(matching.length), all: number(all.length) }));
  if (!matching.length) return fill(byId("services"), el("p", { class: "empty-words" }, say(all.length ? "shadow_it.empty_filtered" : "shadow_it.empty")));
  if (!services.table.isConnected) fill(byId("services"), services.table);
  return arrange(services.body, byCategory(matching).flatMap(([category, within]) => [
    headingOf(category, { services: within.length, requests: sum(within, "requests") }),
    ...within.map((service) => rowOf(service.name, { service, window: chosen.window })),
  ]), { isAsked });
}

function matches({ name, domains, category, status }) {
  const text = chosen.search.trim().toLowerCase();
  return (!text || [name, ...domains].join("\n").toLowerCase().includes(text))
    && (!chosen.category || category === chosen.category)
    && (!chosen.status || (status || "none") === chosen.status);
}

/** `[[category, services]]`, most requests first; so are the services, as the API gives them. */
function byCategory(list) {
  const found = new Map();
  for (const service of list) found.set(service.category, [...(found.get(service.category) ?? []), service]);
  return [...found].sort(([, one], [, other]) => sum(other, "requests") - sum(one, "requests"));
}

function sum(list, field) {
  return list.reduce((total, item) => total + item[field], 0);
}

function figures(all) {
  const risky = all.filter(({ risk }) => risk === "high");
  const having = (list, wanted) => number(list.filter(({ status }) => status === wanted).length);
  fill(byId("in-use"), number(all.length));
  fill(byId("in-use-beside"), say("shadow_it.in_use.beside", { count: number(new Set(all.map(({ category }) => category)).size) }));
  fill(byId("requests"), number(sum(all, "requests")));
  fill(byId("requests-beside"), say("shadow_it.requests.beside", { blocked: number(sum(all, "blocked")), bytes: bytes(sum(all, "bytes")) }));
  fill(byId("risky"), number(risky.length));
  fill(byId("risky-beside"), say("shadow_it.risky.beside", { count: having(risky, "approved") }));
  fill(byId("open"), having(all, ""));
  fill(byId("open-beside"), say("shadow_it.open.beside", { count: having(all, "under review") }));
}

/** Every category with how many services of it are in use; the chosen one stays, even without any. */
function categoryChoice(all) {
  const counts = new Map(byCategory(all).map(([category, within]) => [category, within.length]));
  if (chosen.category && !counts.has(chosen.category)) counts.set(chosen.category, 0);
  const texts = [...counts].sort(([one], [other]) => one.localeCompare(other))
    .map(([category, count]) => [category, say("shadow_it.category_count", { category, count: number(count) })]);
  const field = byId("category");
  const [any, ...known] = field.options;
  if (texts.map(([, text]) => text).join("\n") === known.map(({ text }) => text).join("\n")) return;
  fill(field, any, texts.map(([value, text]) => el("option", { value }, text)));
  field.value = chosen.category;
}

function showNew({ services: found, domains }) {
  const text = JSON.stringify([found, domains]);
  if (text === shownNew) return;
  shownNew = text;
  const first = [
    { title: say("shadow_it.first_by"), cell: (row) => el("a", { href: pageOfClient(row.client_ip), class: "name", title: row.client_ip }, row.client_ip), class: "new-client" },
    { title: say("columns.time"), cell: (row) => time(row.first_seen), class: "new-time" },
  ];
  fill(byId("new-services"), table([
    { title: say("shadow_it.service"), class: "new-name", cell: newService },
    ...first,
  ], found, { caption: say("shadow_it.new_services"), empty: say("shadow_it.new_services_empty"), kind: "table-sm news stack-news" }));
  fill(byId("new-domains"), table([
    { title: say("shadow_it.domain"), class: "new-name", cell: ({ domain }) => el("a", { href: logOf({ domain, since: NEW_SINCE }), class: "name", title: domain }, domain) },
    ...first,
  ], domains, { caption: say("shadow_it.new_domains"), empty: say("shadow_it.new_domains_empty"), kind: "table-sm news stack-news" }));
}

function newService({ name, category }) {
  return [el("a", { href: logOf({ service: name, since: NEW_SINCE }), class: "name", title: name }, name), el("span", { class: "service-domain" }, category)];
}
