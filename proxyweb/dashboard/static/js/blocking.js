// Putting a client's address or a domain on its blacklist, after asking whether that is meant.

import { get, send } from "./api.js";
import { confirmed } from "./confirm.js";
import { say } from "./words.js";

const LISTS = {
  client: { path: "/api/ip-blacklist", field: "ip", setting: "enable_ip_blacklist" },
  domain: { path: "/api/domain-blacklist", field: "domain", setting: "enable_domain_blacklist" },
};
const MOST_LISTED = 1000;
const IPV4 = /^(\d{1,3}\.){3}\d{1,3}$/;
const IPV6 = /^\[?[0-9a-f.]*:[0-9a-f:.]*\]?$/i;

/** Whether who is looking may change anything; the API decides, this is for not offering what it would refuse. */
export const isAdmin = document.body.dataset.role === "admin";

/** Whether a text is a whole address: neither masked nor a name. */
export function isAddress(text) {
  return IPV4.test(text) || IPV6.test(text);
}

/** The entries of a list that `search` finds, the newest thousand at most. */
export async function blocked(kind, { search = "", signal } = {}) {
  const { path, field } = LISTS[kind];
  const found = await get(path, { search, limit: MOST_LISTED }, { signal });
  return found.data.map((entry) => entry[field]);
}

/** Ask, then block `name`, a "client" or a "domain". `done` is called when it is on the list, now or already. */
export function askToBlock(kind, name, done) {
  return confirmed({
    title: say(`block.${kind}.title`, { name }),
    why: say(`block.${kind}.means`, { name }),
    button: say("block.confirm"),
    field: { label: say("block.description"), maxlength: 200 },
    act: async (description) => {
      const message = await list(kind, name, description);
      done();
      return [message, ...await inForce(LISTS[kind].setting)];
    },
  });
}

/** Put it on its list; gives the API's sentence, also where it is there already. */
async function list(kind, name, description) {
  const { path, field } = LISTS[kind];
  try {
    return (await send("POST", path, { [field]: name, description })).message;
  } catch (error) {
    if (error.status !== 409) throw error;
    return error.detail;
  }
}

/** What the list does, which its setting says. */
async function inForce(setting) {
  try {
    const { data: settings } = await get("/api/settings");
    const isOn = settings.some((one) => one.setting_name === setting && one.setting_value === "true");
    return [say(isOn ? "block.on" : "block.off", { setting })];
  } catch {
    return []; // it is on the list all the same, and that has been said
  }
}
