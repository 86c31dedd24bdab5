// The hosts of a window, or the domains they belong to: as a cloud of words, and as a table that says the same.

import { get } from "../api.js";
import { askToBlock, blocked, isAddress, isAdmin } from "../blocking.js";
import { choices } from "../choices.js";
import { byId, el, fill, refill } from "../elements.js";
import { blockedColumn, bytesColumn, meanColumn, requestsColumn } from "../figures.js";
import { number, percent } from "../format.js";
import { logOf } from "../leads.js";
import { live } from "../live.js";
import { table } from "../table.js";
import { say } from "../words.js";

const WORDS = 40;
const SIZES = 6;
const WORDS_OF_PHONE = 12;
const SELDOM = 0.1;
const KINDS = {
  host: { path: "/api/domains/statistics", row: (row) => ({ ...row, name: row.domain_name }) },
  domain: { path: "/api/analytics/top-domains", row: (row) => ({ ...row, name: row.domain, requests: row.count }) },
};
const search = byId("search");
const { chosen, asked } = choices({ by: "host", window: "7d", limit: "50" }, () => now());
let shown = [];
let found = { rows: [], since: null, listed: [], limit: 0 };

const now = live(asked(async (signal) => {
  const { by, window, limit } = chosen;
  const [answer, listed] = await Promise.all([get(KINDS[by].path, { window, limit }, signal), blocked("domain", signal)]);
  if (answer === shown[0] && String(listed) === shown[1]) return;
  shown = [answer, String(listed)];
  found = { by, limit: Number(limit), rows: answer.data.map(KINDS[by].row), since: answer.since, listed: new Set(listed) };
  cloud();
  list();
}));
search.addEventListener("input", () => found.by && list());

function cloud() {
  const { rows, since } = found;
  const words = rows.filter((row) => row.name).slice(0, WORDS);
  const ofPhone = new Set(words.slice(0, WORDS_OF_PHONE));
  const least = Math.log(Math.min(...words.map((row) => row.requests)));
  const span = Math.log(Math.max(...words.map((row) => row.requests))) - least || 1;
  const word = (row) => {
    const size = 1 + Math.round((SIZES - 1) * (Math.log(row.requests) - least) / span);
    const figures = say("domains.cloud.figures", { count: number(row.requests), percent: percent(row.blocked, row.requests) });
    return el("li", { class: ofPhone.has(row) ? null : "cloud-rest" }, el("a", { href: logOf({ domain: row.name, since }), class: `cloud-${size} cloud-${hue(row)}`, title: `${row.name}\n${figures}` },
      row.name, el("span", { class: "visually-hidden" }, `, ${figures}`)));
  };
  words.sort((one, other) => one.name.localeCompare(other.name));
  refill(byId("cloud"), words.length
    ? [el("a", { class: "visually-hidden-focusable", href: "#as-table" }, say("domains.cloud.skip")), el("ul", {}, words.map(word))]
    : el("p", { class: "empty-words" }, say("domains.empty")));
}

function hue({ blocked: refused, requests }) {
  const share = refused / requests;
  return share === 0 ? "none" : share < SELDOM ? "few" : share < 0.5 ? "some" : "most";
}

function list() {
  const { by, limit, rows: all, since, listed } = found;
  const term = search.value.trim().toLowerCase();
  const rows = all.filter((row) => row.name.toLowerCase().includes(term));
  const most = Math.max(1, ...all.map((row) => row.requests));
  const counts = { found: number(rows.length), shown: number(all.length) };
  fill(byId("found"), say(term ? "domains.matching" : all.length < limit ? "domains.all" : "domains.busiest", counts));
  refill(byId("domains"), table([
    { title: say(by === "host" ? "columns.host" : "columns.domain"), cell: (row) => nameOf(row, since), class: "list-name" },
    requestsColumn(most),
    blockedColumn(),
    bytesColumn(),
    meanColumn(),
    { title: say("columns.blacklist"), cell: (row) => blacklist(row, listed), class: "list-block" },
  ], rows, { caption: say("domains.title"), empty: say(term ? "domains.no_match" : "domains.empty"), kind: "table-sm list stack-list" }));
}

function nameOf({ name }, since) {
  return name ? el("a", { href: logOf({ domain: name, since }), class: "name", title: name }, name) : say("format.none");
}

/** That it is on the list, itself or what it is below; else, for admins, a button that puts it there. */
function blacklist({ name }, listed) {
  const labels = name.split(".");
  const above = labels.map((_, index) => labels.slice(index).join("."));
  if (above.some((domain) => listed.has(domain))) return el("span", { class: "tag tag-policy" }, say("block.listed"));
  if (!isAdmin || !name || isAddress(name)) return null;
  return el("button", { class: "btn btn-sm", type: "button", "aria-label": say("block.domain.title", { name }), onclick: () => askToBlock("domain", name, now) }, say("block.domain.button"));
}
