// What came of an action, in a line below it, which screen readers say too.

import { byId, fill } from "./elements.js";
import { say } from "./words.js";

/** Shows that `text` is what came of it; nothing clears the line. */
export function said(id, text = "") {
  byId(id).classList.remove("is-bad");
  fill(byId(id), text);
}

/**
 * Does `action` (async) and shows what it gives, or the server's sentence when it says no, with `names` for its fields
 * (without one, a field is the one above the line). Gives whether it was done.
 */
export async function saying(id, action, names = {}) {
  try {
    said(id, await action());
    return true;
  } catch (error) {
    if (error.status === undefined) throw error;
    byId(id).classList.add("is-bad");
    fill(byId(id), sentence(error, names));
    return false;
  }
}

/** "waf_threshold: must be …" → "It must be …." */
function sentence({ detail, errors }, names) {
  if (!errors.length) return detail;
  return errors.map(({ field, message }) => `${names[field] ?? say("errors.it")} ${message}.`).join(" ");
}
