// What became of requests: status codes, content types, Squid's results; when they were made, with what, and by whom.

import { get } from "../api.js";
import { lyingBars, stackedBars } from "../charts.js";
import { choices } from "../choices.js";
import { byId, el, refill } from "../elements.js";
import { bytes, dayOfUtc, hourTime, instant, meanTime, number, percent } from "../format.js";
import { logOf } from "../leads.js";
import { live } from "../live.js";
import { ranking } from "../ranking.js";
import { urlCounts } from "../url_counts.js";
import { say } from "../words.js";

const BARS = 14;
const RANKED = 10;
const TIMED = { isTimed: true };
const LABEL = window.matchMedia("(max-width: 767px)").matches ? 18 : 26; // letters of a content type beside its bar
const DAY_MS = 86_400_000;
const CLASS_COLOURS = { c2: "--good", c3: "--series-passed", c4: "--fair", c5: "--poor", c1: "--series-threat", c0: "--slice-8" };
const SHOWN = { results, users };
const { chosen, asked } = choices({ window: "7d" }, () => now());
const shown = {};

const now = live(asked(async (signal) => {
  const { window } = chosen;
  const [results, users] = await Promise.all([
    get("/api/analytics/results", { window }, signal),
    get("/api/users/statistics", { window, limit: RANKED }, signal),
  ]);
  for (const [part, answer] of Object.entries({ results, users })) {
    if (answer !== shown[part]) SHOWN[part](answer.data);
    shown[part] = answer;
  }
}));

urlCounts();

function results(found) {
  const empty = found.total ? null : say("results.empty");
  statuses(found, empty);
  types(found, empty);
  hours(found, empty);
  days(found, empty);
  ranked("codes", found.result_codes.map(({ result_code: name, requests: count, ...took }) =>
    ({ name, count, ...took, href: /^[A-Za-z][A-Za-z_]+$/.test(name) ? logOf({ status: name, since: found.since }) : null })), "columns.result", empty, TIMED);
  const unknown = empty ?? say("results.browsers.empty");
  ranked("systems", found.systems, "columns.system", unknown, TIMED);
  ranked("browsers", found.browsers, "columns.program", unknown, TIMED);
}

function ranked(id, rows, title, empty, more = {}) {
  refill(byId(id), ranking(rows.slice(0, RANKED), { title: say(title), caption: say(`results.${id}.title`), empty, ...more }));
}

/** The most frequent, by class; the table has all of them. */
function statuses({ statuses: all, total, since }, empty) {
  const rows = all.map((row) => {
    const status = String(row.status_code).padStart(3, "0");
    return { ...row, status, meaning: classOf(row), href: logOf({ status, since }) };
  });
  const some = rows.slice(0, BARS).sort((one, other) => one.status_code - other.status_code);
  lyingBars("statuses", {
    labels: some.map(({ status }) => status),
    series: Object.entries(CLASS_COLOURS).map(([name, colour]) => ({
      name: say(`results.statuses.classes.${name}`),
      colour,
      values: some.map(({ meaning, requests }) => (meaning === name ? requests : null)),
    })),
    caption: say("results.statuses.title"),
    tableColumns: [
      { title: say("columns.status"), cell: ({ status, href }) => el("a", { href }, status) },
      { title: say("columns.meaning"), cell: ({ meaning }) => say(`results.statuses.classes.${meaning}`) },
      ...figures(total),
    ],
    tableRows: rows,
    onSelect: (index) => location.assign(some[index].href),
    empty,
  });
}

function classOf({ status_code: code }) {
  return code >= 100 && code < 600 ? `c${Math.floor(code / 100)}` : "c0";
}

function types({ content_types: all, total }, empty) {
  const some = all.slice(0, BARS);
  lyingBars("types", {
    labels: some.map(({ content_type: type }) => (type.length > LABEL ? `${type.slice(0, LABEL)}…` : type)),
    series: [{ name: say("columns.requests"), colour: "--series-passed", values: some.map(({ requests }) => requests) }],
    caption: say("results.types.title"),
    tableColumns: [{ title: say("columns.content_type"), cell: ({ content_type: type }) => type }, ...figures(total)],
    tableRows: all,
    empty: empty ?? (all.length ? null : say("results.types.empty")),
  });
}

function figures(total) {
  return [
    { title: say("columns.requests"), cell: ({ requests }) => number(requests), class: "text-end" },
    { title: say("columns.share"), cell: ({ requests }) => percent(requests, total), class: "text-end" },
    { title: say("columns.bytes"), cell: (row) => bytes(row.bytes), class: "text-end" },
    { title: say("columns.mean"), cell: meanTime, class: "text-end mean-time" },
  ];
}

/** By the viewer's clock as it goes today; where it is a part of an hour off UTC, so are the hours. */
function hours({ hours_of_day: ofUtc }, empty) {
  const rows = ofUtc.map((row) => {
    const begin = new Date();
    begin.setUTCHours(row.hour, 0, 0, 0);
    return { ...row, begin };
  }).sort((one, other) => minuteOf(one.begin) - minuteOf(other.begin));
  stackedBars("hours", {
    labels: rows.map(({ begin }) => hourTime(begin)),
    series: [
      { name: say("overview.timeline.blocked"), colour: "--series-blocked", values: rows.map(({ blocked }) => blocked) },
      { name: say("overview.timeline.passed"), colour: "--series-passed", values: rows.map(({ requests, blocked }) => requests - blocked) },
    ],
    caption: say("results.hours.title"),
    tableColumns: [
      { title: say("columns.time"), cell: ({ begin, hour }) => el("span", { title: `${String(hour).padStart(2, "0")}:00 UTC` }, hourTime(begin)) },
      { title: say("columns.requests"), cell: ({ requests }) => number(requests), class: "text-end" },
      { title: say("columns.blocked"), cell: ({ blocked }) => number(blocked), class: "text-end" },
      { title: say("columns.mean"), cell: meanTime, class: "text-end mean-time" },
    ],
    tableRows: rows,
    empty,
  });
}

function minuteOf(moment) {
  return moment.getHours() * 60 + moment.getMinutes();
}

function days({ days: counted, since, until }, empty) {
  const rows = (chosen.window === "all" ? counted : everyDay(counted, since, until))
    .map((row) => ({ ...row, text: dayOfUtc(instant(`${row.day} 00:00:00`)), href: logOfDay(row.day) }));
  stackedBars("days", {
    labels: rows.map(({ text }) => text),
    series: [{ name: say("columns.clients"), colour: "--series-passed", values: rows.map(({ clients }) => clients) }],
    caption: say("results.days.title"),
    tableColumns: [
      { title: say("columns.time"), cell: ({ text, href, day }) => el("a", { href, title: `${day} UTC` }, text) },
      { title: say("columns.clients"), cell: ({ clients }) => number(clients), class: "text-end" },
      { title: say("columns.requests"), cell: ({ requests }) => number(requests), class: "text-end" },
      { title: say("columns.mean"), cell: meanTime, class: "text-end mean-time" },
    ],
    tableRows: rows,
    onSelect: (index) => location.assign(rows[index].href),
    empty,
  });
}

/** Days without clients, too. */
function everyDay(counted, since, until) {
  const known = new Map(counted.map((row) => [row.day, row]));
  const rows = [];
  for (let at = Date.parse(since.slice(0, 10)); at <= instant(until); at += DAY_MS) {
    const day = new Date(at).toISOString().slice(0, 10);
    rows.push(known.get(day) ?? { day, clients: 0, requests: 0, elapsed_ms: 0, mean_ms: null });
  }
  return rows;
}

function logOfDay(day) {
  const next = new Date(Date.parse(day) + DAY_MS).toISOString().slice(0, 10);
  return logOf({ since: `${day} 00:00:00`, until: `${next} 00:00:00` });
}

function users({ users: found, since }) {
  ranked("users", found.map(({ user: name, requests: count }) => ({ name, count, href: logOf({ user: name, since }) })),
    "columns.user", say("results.users.empty"));
}
