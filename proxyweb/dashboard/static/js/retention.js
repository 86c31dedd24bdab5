// What clear-old would delete now, and deleting it; and deleting everything.

import { get, send } from "./api.js";
import { confirmed } from "./confirm.js";
import { byId, fill } from "./elements.js";
import { number } from "./format.js";
import { saying } from "./said.js";
import { isChanged, stored } from "./setting_rows.js";
import { say } from "./words.js";

const NAME = "log_retention_days";
const TYPING_MS = 250;
const field = byId(NAME);
const mayChange = field.tagName === "INPUT";

/** Shows how many requests are older than the days that are typed in; the log's own filter counts them exactly. */
export async function showOld() {
  const days = mayChange ? field.value : stored(NAME);
  const button = document.getElementById("clear-old");
  const isNumber = /^[1-9]\d{0,3}$/.test(days);
  const { total } = isNumber ? await olderThan(days) : { total: 0 };
  const words = { count: number(total), days: number(Number(days)) };
  fill(byId("old"), say(!isNumber ? "settings.old.odd" : total ? "settings.old.count" : "settings.old.none", words),
    total && isChanged(NAME) ? ` ${say("settings.old.unsaved")}` : null);
  if (button) button.disabled = !total || isChanged(NAME);
}

/** Deletes when one is asked to; `onChanged` is called when there is something else to show. */
export function deleteWhenTold(onChanged) {
  let typing = null;
  field.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(onChanged, TYPING_MS);
  });
  byId("clear-old").addEventListener("click", async () => {
    const days = stored(NAME);
    await saying("old-said", async () => {
      const { total } = await olderThan(days);
      const words = { count: number(total), days };
      const isSure = await confirmed({ title: say("settings.old.ask", words), why: say("settings.old.why", words), button: say("settings.old.button") });
      return isSure ? deletion("/api/logs/clear-old") : "";
    });
    await onChanged();
  });
  byId("clear-all").addEventListener("click", async () => {
    await saying("all-said", async () => {
      const { total_count: total } = (await get("/api/logs/stats")).data;
      const isSure = await confirmed({
        title: say("settings.all.ask", { count: number(total) }),
        why: say("settings.all.why"),
        button: say("settings.all.confirm"),
        word: say("settings.all.word"),
      });
      return isSure ? deletion("/api/logs/clear") : "";
    });
    await onChanged();
  });
}

async function deletion(path) {
  const { deleted } = await send("POST", path);
  return say("settings.old.deleted", { count: number(deleted) });
}

function olderThan(days) {
  return get("/api/logs", { until: `-${days}d`, limit: 1 });
}
