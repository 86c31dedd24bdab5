// The log: what the address asks for, page by page, or live.

import { address, get } from "../api.js";
import { byId, el, fill } from "../elements.js";
import { number } from "../format.js";
import { live } from "../live.js";
import { filtersOf, fromAddress, fromForm, intoForm, showRange } from "../log_filters.js";
import { logRow, logTable } from "../log_rows.js";
import { say } from "../words.js";

const PAGE = 100;
const MOST_SHOWN = 500;
const form = byId("filters");
const entries = byId("entries");
let state = fromAddress();
let controller = null;
let next = null;
let newest = 0;
let total = 0;

const now = live(refresh, { focused: 2, idle: 10, isLive: () => Boolean(state.live) });
dress();

async function refresh() {
  if (state.live && newest) return tail();
  return page();
}

async function page() {
  controller = new AbortController();
  const asked = { ...filtersOf(state), sort: state.sort, order: state.order, cursor: state.cursor, limit: PAGE };
  entries.setAttribute("aria-busy", "true");
  try {
    show(await get("/api/logs", asked, controller));
  } finally {
    entries.removeAttribute("aria-busy");
  }
}

/** Only what has come since; when that is more than a page, the page anew. */
async function tail() {
  controller = new AbortController();
  const found = await get("/api/logs", { ...filtersOf(state), after_id: newest, limit: PAGE }, controller);
  if (!found.data.length) return;
  const body = entries.querySelector("tbody");
  if (found.total > found.data.length || !body) return page();
  newest = Math.max(...found.data.map((row) => row.id));
  body.prepend(...found.data.flatMap((row) => logRow(row, state, "is-new")));
  while (body.rows.length > 2 * MOST_SHOWN) body.lastElementChild.remove();
  count(total + found.total);
}

function show({ data: rows, total: matching, next: cursor }) {
  next = cursor;
  newest = Math.max(0, ...rows.map((row) => row.id));
  count(matching);
  const hasFilters = Object.keys(filtersOf(state)).length > 0;
  fill(entries, rows.length ? logTable(rows, state, say("logs.table"))
    : el("p", { class: "empty-words" }, say(hasFilters ? "logs.empty_filtered" : "logs.empty")));
  byId("first").disabled = byId("previous").disabled = !state.cursor;
  byId("next").disabled = !next || Boolean(state.live);
}

function count(matching) {
  total = matching;
  fill(byId("found"), say("logs.found", { count: number(total) }));
}

/** Everything around the table that follows from the address. */
function dress() {
  intoForm(form, state);
  for (const format of ["csv", "ndjson"]) {
    byId(`export-${format}`).href = address("/api/logs/export", { ...filtersOf(state), format });
  }
  byId("tail").setAttribute("aria-pressed", String(Boolean(state.live)));
  byId("tail").firstElementChild.className = `light light-${state.live ? "current" : "none"}`;
}

/** Go to `wanted`, an address of this page. */
function go(wanted) {
  history.pushState(null, "", wanted);
  arrive();
}

function arrive() {
  state = fromAddress();
  newest = 0;
  controller?.abort();
  dress();
  now();
}

/** The address of what is shown, with changes. */
function here(changes) {
  return address("/logs", { ...state, cursor: null, ...changes });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  go(here(fromForm(form)));
});
form.elements.range.addEventListener("change", () => showRange(form));
byId("filters-switch").addEventListener("click", ({ currentTarget }) => {
  currentTarget.setAttribute("aria-expanded", String(form.classList.toggle("show")));
});
byId("tail").addEventListener("click", () => go(here({ live: state.live ? null : "1", sort: null, order: null })));
byId("first").addEventListener("click", () => go(here({})));
byId("previous").addEventListener("click", () => history.back());
byId("next").addEventListener("click", () => {
  go(here({ cursor: next }));
  byId("content").scrollIntoView();
});
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-here], #clear");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go(link.getAttribute("href"));
});
window.addEventListener("popstate", arrive);
