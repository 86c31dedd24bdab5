// Where names lead: a client to its page, everything else to the log.

import { address } from "./api.js";

const OF_CLIENTS = "/clients/";

/** The page of a client, whose address is in the page's. */
export function pageOfClient(client) {
  return OF_CLIENTS + encodeURIComponent(client).replaceAll("%3A", ":");
}

/** The client that the page one is on is about. */
export function clientOfPage() {
  return decodeURIComponent(location.pathname.slice(OF_CLIENTS.length));
}

/** The log by some of its filters. */
export function logOf(filters) {
  return address("/logs", filters);
}
