// The database: how large it is, a copy to take along, and putting it in order.

import { get, send } from "./api.js";
import { byId, fill } from "./elements.js";
import { bytes, fullTime, number } from "./format.js";
import { saying } from "./said.js";
import { facts } from "./table.js";
import { say } from "./words.js";

let shown = null;

/** Shows its figures; while people are masked, no copy leaves the server. */
export async function showDatabase(settings) {
  const found = await get("/api/database/stats");
  if (found !== shown) show(found.data);
  shown = found;
  if (!document.getElementById("backup")) return;
  const isMasked = settings.some((one) => one.setting_name === "gdpr_mode" && one.setting_value === "true");
  byId("backup").hidden = isMasked;
  byId("backup-masked").hidden = !isMasked;
}

/** Has it put in order when one is asked to. */
export function optimizeWhenTold(onChanged) {
  const button = byId("optimize");
  button.addEventListener("click", async () => {
    button.disabled = true;
    await saying("database-said", async () => {
      const { freed_bytes: freed } = await send("POST", "/api/database/optimize");
      return say("settings.database.freed", { bytes: bytes(freed) });
    });
    button.disabled = false;
    await onChanged();
  });
}

function show({ size_bytes: size, rows, oldest, newest, free_bytes: free }) {
  const moment = (text) => (text ? fullTime(text) : say("format.none"));
  fill(byId("database"), facts([
    [say("settings.database.size"), bytes(size)],
    [say("settings.database.free"), bytes(free)],
    [say("columns.requests"), number(rows)],
    [say("settings.database.oldest"), moment(oldest)],
    [say("settings.database.newest"), moment(newest)],
  ]));
}
