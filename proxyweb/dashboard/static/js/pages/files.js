// What is fetched, by which programs, how much of it out of the cache, and how traffic went over time.

import { get } from "../api.js";
import { doughnut, lines, lyingBars, stackedBars } from "../charts.js";
import { choices } from "../choices.js";
import { byId, el, fill, refill } from "../elements.js";
import { bytes, dayOfUtc, hourTime, instant, meanTime, number, percent, time } from "../format.js";
import { logOf } from "../leads.js";
import { live } from "../live.js";
import { ranking } from "../ranking.js";
import { facts } from "../table.js";
import { hasWords, say } from "../words.js";

const BARS = 15;
const SLICES = 7;
const AGENTS = 14;
const MINUTE_MS = 60_000;
const BUCKET_MS = { hour: 5 * MINUTE_MS, day: 60 * MINUTE_MS, week: 1440 * MINUTE_MS, month: 1440 * MINUTE_MS };
const SHOWN = { files, agents, cache, traffic };
const { chosen, asked } = choices({ window: "7d", period: "day" }, () => now());
const shown = {};

const now = live(asked(async (signal) => {
  const { window, period } = chosen;
  const [files, agents, cache, traffic] = await Promise.all([
    get("/api/analytics/file-extensions", { window }, signal),
    get("/api/analytics/user-agents", { window }, signal),
    get("/api/cache/statistics", { window }, signal),
    get("/api/traffic/statistics", { period }, signal),
  ]);
  for (const [part, answer] of Object.entries({ files, agents, cache, traffic })) {
    if (answer !== shown[part]) SHOWN[part](answer.data);
    shown[part] = answer;
  }
}));

function files({ extensions, categories, total }) {
  const empty = total ? null : say("files.empty");
  const some = extensions.slice(0, BARS);
  lyingBars("extensions", {
    labels: some.map(({ ext }) => ext),
    series: [{ name: say("columns.requests"), colour: "--series-passed", values: some.map(({ count }) => count) }],
    caption: say("files.extensions.title"),
    tableColumns: [
      { title: say("columns.extension"), cell: ({ ext }) => ext },
      { title: say("columns.requests"), cell: ({ count }) => number(count), class: "text-end" },
      { title: say("columns.bytes"), cell: (row) => bytes(row.bytes), class: "text-end" },
      { title: say("columns.mean"), cell: meanTime, class: "text-end mean-time" },
    ],
    tableRows: extensions,
    empty: empty ?? (extensions.length ? null : say("files.extensions.empty")),
  });
  lyingBars("categories", {
    labels: categories.map(categoryOf),
    series: [{ name: say("columns.requests"), colour: "--series-threat", values: categories.map(({ count }) => count) }],
    caption: say("files.categories.title"),
    tableColumns: shares(say("columns.category"), categoryOf, total),
    tableRows: categories,
    empty,
  });
}

function categoryOf({ category }) {
  const key = `files.categories.named.${category}`;
  return hasWords(key) ? say(key) : category;
}

function agents({ coverage, total, service_types: types, user_agents: programs, methods, since }) {
  const isNone = coverage === 0;
  fill(byId("coverage"), !total ? say("files.empty") : isNone ? [say("files.coverage.none"), " ", el("code", {}, say("files.coverage.command"))]
    : say("files.coverage.some", { percent: percent(coverage) }));
  const empty = total ? say("files.agents.empty") : say("files.empty");
  refill(byId("agents"), ranking(programs.slice(0, AGENTS), { title: say("columns.program"), caption: say("files.agents.title"), empty, isTimed: true }));
  const rest = types.slice(SLICES).reduce((sum, { count }) => sum + count, 0);
  const slices = [...types.slice(0, SLICES), ...(rest ? [{ name: say("files.types.rest"), count: rest }] : [])];
  doughnut("types", {
    labels: slices.map(({ name }) => name),
    series: [{ name: say("columns.requests"), values: slices.map(({ count }) => count) }],
    caption: say("files.types.title"),
    tableColumns: shares(say("columns.kind"), ({ name }) => name, types.reduce((sum, { count }) => sum + count, 0)),
    tableRows: types,
    empty: types.length ? null : empty,
  });
  const linked = methods.slice(0, 8).map((row) => ({ ...row, href: logOf({ method: row.name, since }) }));
  refill(byId("methods"), ranking(linked, { title: say("columns.method"), caption: say("files.methods.title"), empty: say("files.empty"), isTimed: true }));
}

function shares(title, nameOf, total) {
  return [
    { title, cell: nameOf },
    { title: say("columns.requests"), cell: ({ count }) => number(count), class: "text-end" },
    { title: say("columns.share"), cell: ({ count }) => percent(count, total), class: "text-end" },
    { title: say("columns.mean"), cell: meanTime, class: "text-end mean-time" },
  ];
}

function cache({ requests, hits, misses, hit_ratio: ratio, byte_hit_rate: ofBytes, bytes_saved: saved }) {
  const isAsked = hits + misses > 0;
  fill(byId("cache"), facts([
    [say("columns.requests"), number(requests)],
    [say("files.cache.hits"), number(hits)],
    [say("files.cache.misses"), number(misses)],
    [say("files.cache.ratio"), isAsked ? percent(ratio) : say("format.none")],
    [say("files.cache.bytes"), isAsked ? percent(ofBytes, 100) : say("format.none")],
    [say("files.cache.saved"), bytes(saved)],
  ]));
}

function traffic({ period, labels, requests, blocked, inbound, outbound, outbound_known: isKnown }) {
  const isByDay = period === "week" || period === "month";
  const axis = labels.map((text) => (isByDay ? dayOfUtc : hourTime)(instant(text)));
  const rows = labels.map((begin, index) => ({
    begin, href: bucketOf(begin, period), requests: requests[index], blocked: blocked[index], inbound: inbound[index], outbound: outbound[index],
  }));
  const when = { title: say("columns.time"), cell: ({ begin, href }) => el("a", { href }, isByDay ? dayOfUtc(instant(begin)) : time(begin)) };
  const onSelect = (index) => location.assign(rows[index].href);
  const figure = (title, cell) => ({ title, cell, class: "text-end" });
  const empty = requests.some(Boolean) ? null : say("files.traffic.empty");
  stackedBars("requests", {
    labels: axis,
    series: [
      { name: say("overview.timeline.blocked"), colour: "--series-blocked", values: blocked },
      { name: say("overview.timeline.passed"), colour: "--series-passed", values: requests.map((count, index) => count - blocked[index]) },
    ],
    caption: say("files.traffic.requests"),
    tableColumns: [when, figure(say("columns.requests"), (row) => number(row.requests)), figure(say("columns.blocked"), (row) => number(row.blocked))],
    tableRows: rows,
    onSelect,
    empty,
  });
  const into = { name: say("files.traffic.inbound"), colour: "--series-passed", values: inbound };
  const out = { name: say("files.traffic.outbound"), colour: "--series-threat", values: outbound };
  lines("bytes", {
    labels: axis,
    series: isKnown ? [into, out] : [into],
    caption: say("files.traffic.bytes"),
    tableColumns: [when, figure(into.name, (row) => bytes(row.inbound)), ...(isKnown ? [figure(out.name, (row) => bytes(row.outbound))] : [])],
    tableRows: rows,
    onSelect,
    format: bytes,
    empty,
  });
  const notes = [isByDay ? say("files.traffic.utc") : null, isKnown ? null : say("files.traffic.unknown")].filter(Boolean);
  fill(byId("traffic-note"), empty ? "\u00a0" : notes.join(" ") || "\u00a0");
}

/** The log of a bucket, which begins at `begin`. */
function bucketOf(begin, period) {
  const end = new Date(instant(begin).getTime() + BUCKET_MS[period]);
  return logOf({ since: begin, until: end.toISOString().slice(0, 19).replace("T", " ") });
}
