// Links into the log that more than one page has.

import { address } from "./api.js";
import { instant } from "./format.js";

/** The log of one hour of a timeline, `{ time }`; with more of its filters. */
export function hourInLog({ time: text }, filters = {}) {
  const end = new Date(instant(text).getTime() + 3_600_000);
  return address("/logs", { since: text, until: end.toISOString().slice(0, 19).replace("T", " "), ...filters });
}

/** The log's `since` for a window such as "7d"; none for "all". */
export function sinceOf(window) {
  return window === "all" ? null : `-${window}`;
}
