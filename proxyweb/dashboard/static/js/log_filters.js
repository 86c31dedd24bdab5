// The log's filters: in the page's address, in the form, and in what is asked of the API. Names are the API's.

import { byId, fill } from "./elements.js";
import { instant } from "./format.js";
import { say } from "./words.js";

export const FILTERS = ["search", "client", "domain", "service", "method", "status", "blocked", "reason", "user", "since", "until"];
const KNOWN = [...FILTERS, "sort", "order", "cursor", "live"];
const RELATIVE = /^-\d+[smhd]$/;

/** What the address asks for, by name; only what is known and not empty. Live is always newest first. */
export function fromAddress() {
  const given = new URLSearchParams(location.search);
  const names = given.get("live") ? [...FILTERS, "live"] : KNOWN;
  return Object.fromEntries(names.filter((name) => given.get(name)).map((name) => [name, given.get(name)]));
}

/** Only the filters of `state`, without order and page. */
export function filtersOf(state) {
  return Object.fromEntries(FILTERS.filter((name) => state[name]).map((name) => [name, state[name]]));
}

/** Show `state` in the form. */
export function intoForm(form, state) {
  for (const name of FILTERS) form.elements[name].value = state[name] ?? "";
  const isRelative = RELATIVE.test(state.since ?? "") && !state.until;
  const choice = isRelative ? state.since : state.since || state.until ? "own" : "";
  form.elements.range.value = choice;
  if (form.elements.range.value !== choice) form.elements.range.value = "own";
  form.elements.since.value = isRelative ? "" : local(state.since);
  form.elements.until.value = local(state.until);
  showRange(form);
  const count = Object.keys(filtersOf(state)).length;
  fill(byId("filters-switch"), count ? say("logs.filters_on", { count }) : say("logs.filters"));
}

/** The filters that the form holds. */
export function fromForm(form) {
  const filters = Object.fromEntries(FILTERS.map((name) => [name, form.elements[name].value.trim()]));
  const range = form.elements.range.value;
  filters.since = range === "own" ? absolute(filters.since) : range;
  filters.until = range === "own" ? absolute(filters.until) : "";
  return filters;
}

/** The two moments are asked for only when the range is one's own. */
export function showRange(form) {
  const isOwn = form.elements.range.value === "own";
  byId("since-field").hidden = !isOwn;
  byId("until-field").hidden = !isOwn;
}

/** The viewer's "2026-02-02T03:40" → UTC as the API takes it. */
function absolute(text) {
  const moment = new Date(text);
  return text && !Number.isNaN(moment.getTime()) ? moment.toISOString().slice(0, 19).replace("T", " ") : "";
}

/** The API's UTC → what a datetime-local field shows, in the viewer's zone. */
function local(text) {
  if (!text || RELATIVE.test(text)) return "";
  const moment = instant(text);
  if (Number.isNaN(moment.getTime())) return "";
  return new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}
