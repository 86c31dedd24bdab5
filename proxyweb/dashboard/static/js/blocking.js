// Putting a client's address or a domain on its blacklist, after asking whether that is meant.

import { get, send } from "./api.js";
import { byId, el, fill } from "./elements.js";
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
  const { path, field, setting } = LISTS[kind];
  const opener = document.activeElement;
  const said = el("div", { class: "asking-said", role: "status" });
  const description = el("input", { class: "form-control", id: "asking-description", type: "text", maxlength: 200, autocomplete: "off" });
  const label = el("label", { class: "form-label", for: "asking-description" }, say("block.description"));
  const form = el("div", { class: "asking-form" }, el("p", {}, say(`block.${kind}.means`, { name })), label, description);
  const confirm = el("button", { class: "btn btn-danger", type: "button", onclick: block }, say("block.confirm"));
  const cancel = el("button", { class: "btn", type: "button", onclick: () => dialog.close() }, say("block.cancel"));
  const dialog = el("dialog", { class: "asking", "aria-labelledby": "asking-title", onclose: closed },
    el("h2", { class: "asking-title", id: "asking-title" }, say(`block.${kind}.title`, { name })),
    form, said, el("div", { class: "asking-buttons" }, confirm, cancel));
  document.body.append(dialog);
  dialog.showModal();

  /** The browser gives the focus back to what opened it; what is gone since can't have it. */
  function closed() {
    dialog.remove();
    if (!opener.isConnected) byId("content").focus({ preventScroll: true });
  }

  async function block() {
    confirm.disabled = true;
    try {
      const answer = await send("POST", path, { [field]: name, description: description.value.trim() });
      await ended(answer.message);
    } catch (error) {
      if (error.status === 409) return ended(error.detail);
      confirm.disabled = false;
      fill(said, el("p", { class: "bad-words" }, error.detail ?? String(error)));
      if (error.status === undefined) throw error; // a mistake in a script belongs in the console too
    }
    return undefined;
  }

  async function ended(message) {
    form.hidden = true;
    confirm.hidden = true;
    fill(cancel, say("block.close"));
    fill(said, el("p", {}, message), el("p", { class: "empty-words" }, await inForce()));
    cancel.focus();
    done();
  }

  /** What the list does, which its setting says. */
  async function inForce() {
    try {
      const { data: settings } = await get("/api/settings");
      const isOn = settings.some((one) => one.setting_name === setting && one.setting_value === "true");
      return say(isOn ? "block.on" : "block.off", { setting });
    } catch {
      return null; // it is on the list all the same, and that has been said
    }
  }
}
