// The audit log, page by page; the page is in the address.

import { address, get } from "../api.js";
import { byId, el, fill } from "../elements.js";
import { fullTime, number } from "../format.js";
import { live } from "../live.js";
import { table } from "../table.js";
import { say } from "../words.js";

const PAGE = 50;
const COLUMNS = [
  { title: say("columns.time"), cell: (row) => fullTime(row.timestamp), class: "audit-time" },
  { title: say("columns.user"), cell: (row) => row.username, class: "audit-user" },
  { title: say("audit.action"), cell: (row) => row.action, class: "audit-action" },
  { title: say("audit.target"), cell: (row) => row.target, class: "audit-target" },
  { title: say("audit.details"), cell: (row) => row.details, class: "audit-details" },
  { title: say("audit.address"), cell: (row) => row.source_ip || el("span", { class: "text-secondary" }, say("audit.server")), class: "audit-address" },
];
let offset = fromAddress();
let total = 0;
let shown = null;

const now = live(async () => {
  const found = await get("/api/audit-log", { limit: PAGE, offset });
  if (found !== shown) show(found);
  shown = found;
});

function show(found) {
  total = found.total;
  const [first, last] = [found.offset + 1, found.offset + found.data.length];
  fill(byId("found"), found.data.length ? say("audit.shown", { first: number(first), last: number(last), total: number(total) }) : "\u00a0");
  fill(byId("entries"), table(COLUMNS, found.data, {
    caption: say("audit.table"), empty: say(total ? "audit.empty_page" : "audit.empty"), kind: "table-sm audit stack-audit" }));
  byId("newest").disabled = byId("newer").disabled = !found.offset;
  byId("older").disabled = last >= total;
}

function fromAddress() {
  const given = Number(new URLSearchParams(location.search).get("offset"));
  return Number.isSafeInteger(given) && given > 0 ? given : 0;
}

function go(to) {
  history.pushState(null, "", address("/audit", { offset: to || null }));
  arrive();
  byId("content").scrollIntoView();
}

function arrive() {
  offset = fromAddress();
  now();
}

byId("newest").addEventListener("click", () => go(0));
byId("newer").addEventListener("click", () => go(Math.max(0, offset - PAGE)));
byId("older").addEventListener("click", () => go(offset + PAGE));
window.addEventListener("popstate", arrive);
