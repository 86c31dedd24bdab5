// The clients of a window, busiest first, and when they were active; one finds one's own among them by typing.

import { get } from "../api.js";
import { stackedBars } from "../charts.js";
import { choices } from "../choices.js";
import { byId, el, fill, refill } from "../elements.js";
import { blockedColumn, bytesColumn, meanColumn, requestsColumn } from "../figures.js";
import { dayHourTime, instant, number, time } from "../format.js";
import { pageOfClient } from "../leads.js";
import { live } from "../live.js";
import { hourInLog } from "../log_links.js";
import { table } from "../table.js";
import { say } from "../words.js";

const search = byId("search");
const { chosen, asked } = choices({ window: "7d", limit: "50" }, () => now());
let found = null;
let drawn = null;

const now = live(asked(async (signal) => {
  const { window, limit } = chosen;
  const [answer, hours] = await Promise.all([
    get("/api/clients/statistics", { window, limit }, signal),
    get("/api/clients/activity", {}, signal),
  ]);
  if (answer.data !== found) show(answer.data);
  if (hours.data !== drawn) activity(hours.data);
  drawn = hours.data;
}));
search.addEventListener("input", () => found && show(found));

function show(answer) {
  found = answer;
  const { clients, total_clients: total } = answer;
  const term = search.value.trim().toLowerCase();
  const rows = clients.filter((client) => client.ip_address.toLowerCase().includes(term));
  const most = Math.max(1, ...clients.map((client) => client.requests));
  const counts = { found: number(rows.length), shown: number(clients.length), total: number(total) };
  fill(byId("found"), say(term ? "clients.matching" : "clients.shown", counts));
  refill(byId("clients"), table([
    { title: say("columns.client"), cell: (row) => el("a", { href: pageOfClient(row.ip_address), class: "name", title: row.ip_address }, row.ip_address), class: "list-name" },
    requestsColumn(most),
    blockedColumn(),
    bytesColumn(),
    meanColumn(),
    { title: say("columns.last_seen"), cell: (row) => time(row.last_seen), class: "list-seen" },
    { title: say("columns.state"), cell: state, class: "list-state" },
  ], rows, { caption: say("clients.title"), empty: say(term ? "clients.no_match" : "clients.empty"), kind: "table-sm list stack-list" }));
}

/** The busiest clients, a colour each, and all others in grey. */
function activity({ labels, clients, others }) {
  const parts = [...clients.map(({ ip_address: name, requests: values }) => ({ name, values })), { name: say("clients.activity.others"), values: others }];
  const series = parts.map((part, index) => ({ ...part, colour: `--slice-${index === clients.length ? 8 : index + 1}` }));
  const rows = labels.map((begin, index) => ({ begin, index, href: hourInLog({ time: begin }) }));
  stackedBars("activity", {
    labels: labels.map((begin) => dayHourTime(instant(begin))),
    series,
    caption: say("clients.activity.title"),
    tableColumns: [
      { title: say("columns.time"), cell: ({ begin, href }) => el("a", { href }, time(begin)) },
      ...series.map(({ name, values }) => ({ title: name, cell: ({ index }) => number(values[index]), class: "text-end" })),
    ],
    tableRows: rows,
    onSelect: (index) => location.assign(rows[index].href),
    empty: clients.length ? null : say("clients.activity.empty"),
  });
}

function state({ status }) {
  const isActive = status === "Active";
  return el("span", { title: say(isActive ? "clients.active_why" : "clients.idle_why") },
    el("span", { class: `light light-${isActive ? "current" : "none"}`, "aria-hidden": "true" }), say(isActive ? "clients.active" : "clients.idle"));
}
