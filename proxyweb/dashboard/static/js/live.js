// Keeps a page fresh: often while it is looked at, seldom when it only lies open, never when it is hidden.

import { byId, el, fill } from "./elements.js";
import { clockTime, duration } from "./format.js";
import { say } from "./words.js";

const SLOW_MS = 300;
const LONGEST_WAIT = 60;

/**
 * Calls `refresh` (async: ask, then show) now and, as long as `isLive()`, again and again; `focused` and `idle` are
 * seconds between. Says in #state how that went, and in #trouble what went wrong, with a way to try again.
 * Gives `now()`, which asks at once; what is being asked meanwhile is followed by one more time.
 */
export function live(refresh, { focused = 5, idle = 20, isLive = () => true } = {}) {
  const state = byId("state");
  let timer = null;
  let failures = 0;
  let running = null;
  let isStale = false;

  function interval() {
    const usual = document.hasFocus() ? focused : idle;
    return failures ? Math.min(LONGEST_WAIT, Math.max(usual, 2 ** failures)) : usual;
  }

  function schedule(seconds = interval()) {
    clearTimeout(timer);
    timer = !document.hidden && (isLive() || failures) ? setTimeout(now, seconds * 1000) : null;
  }

  async function once() {
    const slow = setTimeout(() => fill(state, say("live.loading")), SLOW_MS);
    try {
      await refresh();
      failures = 0;
      trouble(null);
      fill(state, say("live.updated", { time: clockTime(new Date()) }));
    } catch (error) {
      if (error.name === "AbortError") return;
      const isOurs = error.status === undefined;
      failures = isTemporary(error) ? failures + 1 : 0;
      fill(state, "");
      trouble(error, now, failures ? interval() : null);
      if (isOurs) throw error; // a mistake in a script belongs in the console too
    } finally {
      clearTimeout(slow);
    }
  }

  async function run() {
    do {
      isStale = false;
      await once();
    } while (isStale);
  }

  function now() {
    clearTimeout(timer);
    isStale = running !== null;
    running ??= run().finally(() => {
      running = null;
      schedule();
    });
    return running;
  }

  document.addEventListener("visibilitychange", () => (document.hidden || !isLive() ? clearTimeout(timer) : now()));
  window.addEventListener("focus", () => running || schedule(Math.min(1, focused)));
  now();
  return now;
}

/** Whether asking again may help: the network, a busy database, a restart. A wrong filter stays wrong. */
function isTemporary({ status }) {
  return status === 0 || status === 429 || status >= 500;
}

/** Show in #trouble what went wrong, and a button that tries again; null takes it away. */
export function trouble(error, again = null, seconds = null) {
  const place = byId("trouble");
  place.hidden = error === null;
  if (error === null) return fill(place);
  return fill(place,
    el("div", {}, error.detail ?? String(error), seconds ? ` ${say("live.again", { seconds: duration(seconds) })}` : null),
    again ? el("button", { class: "btn btn-sm", type: "button", onclick: again }, say("live.retry")) : null);
}
