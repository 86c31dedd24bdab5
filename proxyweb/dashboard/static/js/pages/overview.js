// The overview: everything of one summary, and whether ingest keeps up.

import { address, get } from "../api.js";
import { reasonBadge } from "../badges.js";
import { stackedBars } from "../charts.js";
import { bar, byId, el, fill, refill } from "../elements.js";
import { bytes, duration, hourTime, instant, number, percent, time } from "../format.js";
import { pageOfClient } from "../leads.js";
import { live } from "../live.js";
import { hourInLog } from "../log_links.js";
import { ranking } from "../ranking.js";
import { scoreParts } from "../score.js";
import { facts, table } from "../table.js";
import { say } from "../words.js";

const BEHIND_SECONDS = 10;
const ADVICE_AT_ONCE = 5;
const DAY = { since: "-24h" };
let shown = null;

live(async () => {
  const [summary, status, health] = await Promise.all([get("/api/dashboard/summary"), get("/api/status"), healthy()]);
  if (summary !== shown) show(summary.data);
  ingest(status.data.ingest, health);
  shown = summary;
});

/** Whether the log is being followed as it should; the API says no with a 503, which is an answer here. */
async function healthy() {
  try {
    return (await get("/api/health")).status === "healthy";
  } catch (error) {
    if (error.status === 503) return false;
    throw error;
  }
}

function show(summary) {
  figures(summary);
  timeline(summary.timeline);
  refill(byId("score"), scoreParts(summary.score, ADVICE_AT_ONCE));
  ranked("top-blocked", summary.top_blocked.map(({ dest, count }) =>
    ({ name: dest, count, href: address("/logs", { domain: dest, blocked: true, ...DAY }) })), "columns.host", "bar-blocked");
  ranked("top-clients", summary.top_clients.map(({ ip, count }) =>
    ({ name: ip, count, href: pageOfClient(ip) })), "columns.client");
  ranked("threats", summary.threat_categories.slice(0, 10).map(({ category, count }) =>
    ({ name: category.replaceAll("_", " "), count })), "columns.category", "bar-threat");
  recent(summary.recent_blocks);
  waf(summary.waf);
  cache(summary.cache);
}

function figures(summary) {
  const { total_requests: all, blocked_requests: blocked, today_requests: today, today_blocked: blockedToday } = summary;
  fill(byId("requests"), number(today));
  fill(byId("requests-beside"), say("overview.requests.beside", { count: number(all) }));
  fill(byId("blocked"), number(blockedToday));
  fill(byId("blocked-beside"), say("overview.blocked.beside", { count: number(blocked) }));
  fill(byId("rate"), percent(blockedToday, today));
  fill(byId("rate-beside"), say("overview.rate.beside", { percent: percent(blocked, all) }));
}

function ingest({ file, lag_bytes: lag, lag_seconds: seconds, lines_per_second: rate }, isHealthy) {
  const state = !isHealthy ? "stopped" : !file ? "none" : lag && seconds > BEHIND_SECONDS ? "behind" : "current";
  const words = { lag: duration(seconds), bytes: bytes(lag), rate: number(Math.round(rate)) };
  fill(byId("ingest"), el("span", { class: `light light-${state}`, "aria-hidden": "true" }), say(`overview.ingest.${state}`, words));
  fill(byId("ingest-beside"), say(`overview.ingest.${state}_beside`, words));
  byId("ingest-beside").title = file ?? "";
}

function timeline(hours) {
  const { passed, blocked } = { passed: say("overview.timeline.passed"), blocked: say("overview.timeline.blocked") };
  stackedBars("timeline", {
    labels: hours.map(({ time: text }) => hourTime(instant(text))),
    series: [
      { name: blocked, colour: "--series-blocked", values: hours.map((hour) => hour.blocked) },
      { name: passed, colour: "--series-passed", values: hours.map((hour) => hour.total - hour.blocked) },
    ],
    caption: say("overview.timeline.title"),
    tableColumns: [
      { title: say("columns.time"), cell: (hour) => el("a", { href: hourInLog(hour) }, time(hour.time)) },
      { title: say("columns.requests"), cell: (hour) => number(hour.total), class: "text-end" },
      { title: say("columns.blocked"), cell: (hour) => number(hour.blocked), class: "text-end" },
      { title: say("columns.bytes"), cell: (hour) => bytes(hour.bytes), class: "text-end" },
    ],
    tableRows: hours,
    onSelect: (index) => location.assign(hourInLog(hours[index])),
  });
}

function ranked(id, rows, title, kind = "") {
  const caption = byId(`${id}-title`).textContent;
  fill(byId(id), ranking(rows, { title: say(title), caption, empty: say(`overview.${id.replace("-", "_")}.empty`), kind }));
}

function recent(blocks) {
  fill(byId("recent"), table([
    { title: say("columns.time"), cell: (row) => time(row.timestamp), class: "text-nowrap recent-time" },
    { title: say("columns.client"), cell: (row) => el("a", { href: address("/logs", { client: row.source_ip }) }, row.source_ip), class: "text-nowrap recent-client" },
    { title: say("columns.destination"), cell: (row) => el("span", { class: "name", title: `${row.method} ${row.destination}` }, row.destination), class: "recent-destination" },
    { title: say("columns.reason"), cell: (row) => reasonBadge(row.reason, address("/logs", { reason: row.reason })), class: "recent-reason" },
    { title: say("columns.status"), cell: (row) => row.status, class: "text-secondary text-nowrap recent-status" },
  ], blocks, { caption: say("overview.recent.title"), empty: say("overview.recent.empty"), kind: "table-sm recent stack-recent" }));
}

function waf(found) {
  fill(byId("waf"), facts([
    [say("overview.waf.rules"), say("overview.waf.rules_of", { on: number(found.rules_enabled), all: number(found.rules) })],
    [say("overview.waf.inspected"), number(found.total_requests)],
    [say("overview.waf.blocked"), number(found.total_blocked)],
    [say("overview.waf.rate"), percent(found.block_rate_pct, 100)],
    [say("overview.waf.last_minute"), number(found.requests_last_minute)],
  ]));
}

function cache({ hits, misses, hit_ratio: ratio, bytes_saved: saved }) {
  fill(byId("cache"), facts([
    [say("overview.cache.ratio"), hits + misses ? percent(ratio) : say("format.none")],
    [say("overview.cache.hits"), number(hits)],
    [say("overview.cache.misses"), number(misses)],
    [say("overview.cache.saved"), bytes(saved)],
  ]));
}
