// Threats: what was blocked, what the WAF inspected and found, its categories, and a pattern tried out.

import { address, get } from "../api.js";
import { stackedBars } from "../charts.js";
import { choices } from "../choices.js";
import { byId, el, fill } from "../elements.js";
import { dayHourTime, instant, number, percent, time } from "../format.js";
import { arrange, lastingRows } from "../lasting_rows.js";
import { pageOfClient } from "../leads.js";
import { live } from "../live.js";
import { hourInLog, sinceOf } from "../log_links.js";
import { ranking } from "../ranking.js";
import { ruleTrial } from "../rule_trial.js";
import { table } from "../table.js";
import { categoryName, categoryRow, categoryTable } from "../waf_categories.js";
import { say } from "../words.js";

const HOURS = 72;
const RECENT = 10;
const isAdmin = document.body.dataset.role === "admin";
const { chosen, asked } = choices({ window: "7d" }, () => {
  order.clear();
  now();
});
const categories = categoryTable(say("threats.categories.title"));
const rowOf = lastingRows((name) => categoryRow(name, isAdmin));
const order = new Map();
const shown = new Map();

ruleTrial();
const now = live(asked(refresh), { focused: 10, idle: 60 });

async function refresh(signal) {
  const { window } = chosen;
  const [settings, stats, hours, found, recent] = await Promise.all([
    get("/api/settings", {}, signal), get("/api/waf/stats", { window }, signal), get("/api/logs/timeline", { hours: HOURS }, signal),
    get("/api/waf/categories", { window }, signal), get("/api/logs", { reason: "waf", limit: RECENT }, signal),
  ]);
  ifNew("settings", settings, showState);
  ifNew("stats", stats, showStats);
  ifNew("hours", hours, showTimeline);
  ifNew("recent", recent, showRecent);
  showCategories(found.data);
}

function ifNew(name, answer, show) {
  if (shown.get(name) === answer) return;
  show(answer.data);
  shown.set(name, answer);
}

/** Whether the WAF is on, what it does with what it finds, and what to do when it does nothing. */
function showState(settings) {
  const value = Object.fromEntries(settings.map(({ setting_name: name, setting_value: text }) => [name, text]));
  const isOn = value.enable_waf === "true";
  const mode = !isOn ? "off" : value.waf_mode === "detect" ? "detect" : "block";
  const light = { off: "none", detect: "behind", block: "current" }[mode];
  const scoresLog = value.waf_score_log === "true";
  fill(byId("waf-state"),
    el("p", { class: "waf-state-title" }, el("span", { class: `light light-${light}`, "aria-hidden": "true" }), say(`threats.state.${mode}`)),
    el("p", {}, say(`threats.state.${mode}_means`, { threshold: value.waf_threshold })),
    isOn ? null : el("p", {}, say("threats.state.helper"), " ", el("code", {}, "proxyweb squid-conf")),
    el("p", {}, say(scoresLog ? "threats.state.scores_log" : "threats.state.scores_no_log"), " ", el("code", {}, "waf_score_log")),
    el("a", { href: "/settings" }, say("threats.state.settings")));
}

function showStats(stats) {
  const since = sinceOf(chosen.window);
  fill(byId("inspected"), number(stats.total_requests));
  fill(byId("inspected-beside"), say("threats.inspected.beside", { on: number(stats.rules_enabled), all: number(stats.rules) }));
  fill(byId("blocked"), number(stats.total_blocked));
  fill(byId("blocked-beside"), say("threats.blocked.beside", { percent: percent(stats.block_rate_pct, 100) }));
  fill(byId("minute"), number(stats.requests_last_minute));
  fill(byId("minute-beside"), say("threats.minute.beside"));
  fill(byId("entropy"), stats.total_requests ? say("threats.entropy.bits", { bits: stats.avg_url_entropy.toFixed(2) }) : say("format.none"));
  fill(byId("entropy-beside"), say("threats.entropy.beside", { count: number(stats.high_entropy_count) }));
  byId("entropy-beside").title = say("threats.entropy.why");
  ranked("top-categories", stats.top_blocked_categories.map(({ key, count }) => ({ name: categoryName(key), count })),
    say("columns.category"), say("threats.top_categories.empty"));
  ranked("top-destinations", stats.top_destinations.map(({ key, count }) =>
    ({ name: key, count, href: address("/logs", { domain: key, reason: "waf", since }) })),
  say("columns.host"), say("threats.top_destinations.empty"));
  ranked("top-agents", stats.top_user_agents.map(({ key, count }) => ({ name: key, count })),
    say("threats.agent"), say("threats.top_agents.empty"));
}

function ranked(id, rows, title, empty) {
  fill(byId(id), ranking(rows, { title, caption: byId(`${id}-title`).textContent, empty, kind: "bar-threat" }));
}

function showTimeline(hours) {
  stackedBars("timeline", {
    labels: hours.map(({ time: text }) => dayHourTime(instant(text))),
    series: [{ name: say("columns.blocked"), colour: "--series-blocked", values: hours.map(({ blocked }) => blocked) }],
    caption: say("threats.timeline.title"),
    tableColumns: [
      { title: say("columns.time"), cell: (hour) => el("a", { href: hourInLog(hour, { blocked: true }) }, time(hour.time)) },
      { title: say("columns.blocked"), cell: ({ blocked }) => number(blocked), class: "text-end" },
      { title: say("columns.requests"), cell: ({ total }) => number(total), class: "text-end" },
    ],
    tableRows: hours,
    onSelect: (index) => location.assign(hourInLog(hours[index], { blocked: true })),
  });
}

function showRecent(rows) {
  fill(byId("recent"), table([
    { title: say("columns.time"), cell: (row) => time(row.timestamp), class: "text-nowrap recent-time" },
    { title: say("columns.client"), cell: (row) => el("a", { href: pageOfClient(row.client_ip) }, row.client_ip), class: "text-nowrap recent-client" },
    { title: say("columns.destination"), cell: (row) => el("span", { class: "name", title: `${row.method} ${row.destination}` }, row.destination), class: "recent-destination" },
    { title: say("columns.category"), cell: (row) => el("span", { class: "name" }, row.waf ? row.waf.categories.map(categoryName).join(", ") : say("format.none")), class: "recent-found" },
  ], rows, { caption: say("threats.recent.title"), empty: say("threats.recent.empty"), kind: "table-sm recent stack-recent" }));
}

/** In the order of the first time, so that no switch moves away from under a hand; new ones come last. */
function showCategories(found) {
  for (const { name } of found) if (!order.has(name)) order.set(name, order.size);
  const sorted = [...found].sort((one, other) => order.get(one.name) - order.get(other.name));
  if (!categories.table.isConnected) fill(byId("categories"), categories.table);
  arrange(categories.body, sorted.map((category) => rowOf(category.name, category)));
}
