// The settings: what each is for and what it is, the score that follows, and what is blocked.

import { get } from "../api.js";
import { blacklist } from "../blacklists.js";
import { optimizeWhenTold, showDatabase } from "../database.js";
import { byId, fill } from "../elements.js";
import { live } from "../live.js";
import { changePassword } from "../password.js";
import { deleteWhenTold, showOld } from "../retention.js";
import { scoreParts } from "../score.js";
import { saveSettings, showSettings } from "../setting_rows.js";

const mayChange = document.body.dataset.role === "admin";
const domains = blacklist({ id: "domains", path: "/api/domain-blacklist", field: "domain", enabledBy: "enable_domain_blacklist", onChanged });
const networks = blacklist({ id: "networks", path: "/api/ip-blacklist", field: "ip", enabledBy: "enable_ip_blacklist", onChanged });
let shownScore = null;

const now = live(async () => {
  const [{ data: settings }, score] = await Promise.all([get("/api/settings"), get("/api/security/score")]);
  showSettings(settings);
  if (score !== shownScore) fill(byId("score"), scoreParts(score.data));
  shownScore = score;
  await Promise.all([showOld(), showDatabase(settings), domains(settings), networks(settings)]);
});

function onChanged() {
  return now();
}

if (mayChange) {
  saveSettings(onChanged);
  deleteWhenTold(onChanged);
  optimizeWhenTold(onChanged);
}
changePassword();
