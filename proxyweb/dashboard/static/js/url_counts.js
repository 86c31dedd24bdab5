// URLs, those not found, referring sites, and who served them: counted from the log's rows when a button asks for it.

import { get } from "./api.js";
import { byId, el, fill } from "./elements.js";
import { lasted, number, time } from "./format.js";
import { logOf } from "./leads.js";
import { longest } from "./longest.js";
import { ranking } from "./ranking.js";
import { said, saying } from "./said.js";
import { say } from "./words.js";

const RANKED = 20;
const LONGEST = 2000; // letters that the log's filter takes

/** Makes the buttons of #urls-choice work. Another one ends what is being waited for. */
export function urlCounts() {
  const buttons = byId("urls-choice");
  let waiting = new AbortController();
  buttons.addEventListener("click", async ({ target }) => {
    const button = target.closest("button");
    if (!button) return;
    waiting.abort();
    const { signal } = waiting = new AbortController();
    buttons.setAttribute("aria-busy", "true");
    for (const one of buttons.children) one.setAttribute("aria-pressed", String(one === button));
    fill(byId("urls"));
    said("urls-said", say("results.urls.counting"));
    try {
      await saying("urls-said", async () => show(await counted(button.value, signal)));
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    }
    if (!signal.aborted) buttons.removeAttribute("aria-busy");
  });
}

/** What the API counted, once it has: it counts many requests aside, and says meanwhile when to ask again. */
async function counted(window, signal) {
  for (;;) {
    try {
      return (await get("/api/analytics/urls", { window, limit: RANKED }, { signal })).data;
    } catch (error) {
      if (!error.retryAfter) throw error;
      said("urls-said", error.detail);
      await new Promise((resolve) => { setTimeout(resolve, error.retryAfter * 1000); });
      signal.throwIfAborted();
    }
  }
}

/** Shows the rankings, and gives the sentence that says what they cover. */
function show(found) {
  const { since, until, requests } = found;
  const linked = (rows, filters) => rows.map(({ url: name, requests: count, ...took }) =>
    ({ name, count, ...took, href: name.length > LONGEST ? null : logOf({ search: name, since, ...filters }) }));
  fill(byId("urls"), el("div", { class: "row row-cards" },
    part("most", found.distinct_urls, linked(found.urls, {}), "columns.url", { isTimed: true }),
    part("not_found", found.distinct_not_found, linked(found.not_found, { status: "404" }), "columns.url", { isTimed: true }),
    part("referring", found.distinct_referring_sites, found.referring_sites, "columns.site"),
    part("referrers", found.distinct_referrers, found.referrers, "columns.page"),
    part("servers", found.distinct_servers, found.servers, "columns.address"),
    el("div", { class: "col-lg-6" }, longest(found.longest))));
  const took = { mean: lasted(found.mean_ms), longest: lasted(found.longest_ms) };
  return [time(since), " – ", time(until), ": ", say("results.urls.covers", { requests: number(requests), ...took })];
}

function part(name, count, rows, title, { isTimed = false } = {}) {
  const caption = say(`results.urls.${name}.title`);
  return el("div", { class: "col-lg-6" },
    el("h3", { class: "subheader" }, `${caption} (${number(count)})`),
    ranking(rows, { title: say(title), caption, isTimed, empty: say(`results.urls.${name}.empty`) }));
}
