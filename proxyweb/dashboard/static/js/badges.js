// Why a request was blocked, in a word, and in a sentence for who wants to know more.

import { el } from "./elements.js";
import { say } from "./words.js";

/** A badge for a `reason` of the API; with `href`, one that leads there. */
export function reasonBadge(reason, href = null) {
  if (!reason) return null;
  const attributes = { class: `tag tag-${reason}`, title: say(`reasons.${reason}.why`) };
  return el(href ? "a" : "span", { ...attributes, href }, say(`reasons.${reason}.name`));
}
