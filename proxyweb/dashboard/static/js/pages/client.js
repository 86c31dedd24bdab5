// One client: how much it asked for, of whom, and what last.

import { get } from "../api.js";
import { askToBlock, blocked, isAddress, isAdmin } from "../blocking.js";
import { choices } from "../choices.js";
import { byId, el, fill, refill } from "../elements.js";
import { blockedColumn, requestsColumn } from "../figures.js";
import { bytes, fullTime, lasted, number, percent, time } from "../format.js";
import { clientOfPage, logOf } from "../leads.js";
import { live } from "../live.js";
import { logTable } from "../log_rows.js";
import { table } from "../table.js";
import { say } from "../words.js";

const RECENT = 20;
const client = clientOfPage();
const { chosen, asked } = choices({ window: "7d" }, () => now());
let shown = null;
let newest = "";

name(client);
const now = live(asked(async (signal) => {
  const details = await detailsOf(client, signal);
  if (!details) return;
  const { since, ip_address: address } = details;
  const [log, listed] = await Promise.all([
    get("/api/logs", { client: address, since, limit: RECENT }, signal),
    isAdmin && isAddress(address) ? blocked("client", { search: address, ...signal }) : [],
  ]);
  if (details !== shown) show(details);
  recent(log.data, { client: address, since });
  if (isAdmin && isAddress(address)) offerBlock(address, listed.includes(address));
  shown = details;
}));

/** What the API knows of a client; null, once that is told, where it knows none of that name. */
async function detailsOf(wanted, signal) {
  try {
    const { data } = await get(`/api/clients/${encodeURIComponent(wanted)}/details`, { window: chosen.window }, signal);
    tellUnknown(null);
    return data;
  } catch (error) {
    if (error.status !== 404 && error.status !== 400) throw error;
    tellUnknown(error.status === 404 ? say("client.unknown") : error.detail);
    return null;
  }
}

function tellUnknown(words) {
  byId("unknown").hidden = words === null;
  byId("known").hidden = words !== null;
  byId("whole-log").hidden = words !== null;
  if (words === null) return fill(byId("unknown"));
  return fill(byId("unknown"), el("div", { class: "card-body" }, el("p", { class: "empty-words" }, words),
    el("a", { class: "btn mt-3", href: "/clients" }, say("client.all"))));
}

function name(text) {
  fill(byId("heading"), text);
  document.title = `${text} · proxyweb`;
  byId("whole-log").href = logOf({ client: text });
}

function show(details) {
  const { ip_address: address, total_requests: all, blocked: refused, since, first_seen: first, last_seen: last } = details;
  name(address);
  fill(byId("requests"), number(all));
  fill(byId("requests-beside"), say("windows.since"), " ", time(since));
  fill(byId("blocked"), number(refused));
  fill(byId("blocked-beside"), say("client.blocked.beside", { percent: percent(refused, all) }));
  fill(byId("traffic"), bytes(details.bytes));
  fill(byId("traffic-beside"), details.mean_ms === null ? say("client.traffic.beside") : say("client.traffic.timed", { mean: lasted(details.mean_ms) }));
  fill(byId("seen"), last ? time(last) : say("format.none"));
  fill(byId("seen-beside"), say("client.seen.beside"), " ", fullTime(first));
  domains(details.top_domains, { client: address, since });
}

function domains(rows, filters) {
  const most = Math.max(1, ...rows.map((row) => row.requests));
  refill(byId("domains"), table([
    { title: say("columns.host"), cell: (row) => hostOf(row.destination, filters), class: "list-name" },
    requestsColumn(most),
    blockedColumn(),
  ], rows, { caption: say("client.domains.title"), empty: say("client.domains.empty"), kind: "table-sm list stack-list" }));
}

function hostOf(host, filters) {
  return host ? el("a", { href: logOf({ ...filters, domain: host }), class: "name", title: host }, host) : say("format.none");
}

/** The newest rows; while one of them is open, they stay as they are. */
function recent(rows, filters) {
  const place = byId("recent");
  const ids = `${rows.map((row) => row.id)} of ${JSON.stringify(filters)}`;
  if (ids === newest || place.querySelector("[aria-expanded=true]")) return;
  newest = ids;
  refill(place, rows.length ? logTable(rows, filters, say("client.recent.title")) : el("p", { class: "empty-words" }, say("client.recent.empty")));
}

function offerBlock(address, isListed) {
  const ask = () => askToBlock("client", address, () => offerBlock(address, true));
  refill(byId("block"), isListed ? el("span", { class: "tag tag-policy tag-listed" }, say("block.listed"))
    : el("button", { class: "btn btn-outline-danger", type: "button", onclick: ask }, say("block.client.button")));
}
