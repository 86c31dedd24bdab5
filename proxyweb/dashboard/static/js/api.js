// The one way to the API. The session's cookie goes along by itself; what changes something carries its CSRF token.

import { say } from "./words.js";

const MOST_KEPT = 50;
const csrf = document.querySelector("meta[name=csrf-token]")?.content ?? "";
const latest = new Map();

/** What the API said no with: `detail` is a sentence for people, `errors` `[{field, message}]`, `retryAfter` seconds. */
export class ApiError extends Error {
  constructor(status, detail, errors = [], retryAfter = null) {
    super(detail);
    Object.assign(this, { status, detail, errors, retryAfter });
  }
}

/** `address("/api/logs", { limit: 5, since: null })` → "/api/logs?limit=5": what is null or empty is left out. */
export function address(path, parameters = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const query = new URLSearchParams(given).toString();
  return query ? `${path}?${query}` : path;
}

/**
 * The body of a read. The browser asks with the ETag it has; while nothing has changed, the very same object is given
 * again, so that `===` tells whether there is anything to show anew. Lists say their window in headers; it is `since`
 * of the body here, as objects have it in theirs.
 */
export async function get(path, parameters = {}, { signal } = {}) {
  const url = address(path, parameters);
  const response = await answered(url, { cache: "no-cache", signal });
  const etag = response.headers.get("ETag");
  const known = latest.get(url);
  if (etag && known?.etag === etag) return known.body;
  const body = await response.json();
  const since = response.headers.get("X-Window-Since");
  if (since) body.since = since;
  latest.delete(url);
  if (etag) latest.set(url, { etag, body });
  if (latest.size > MOST_KEPT) latest.delete(latest.keys().next().value);
  return body;
}

/** Change something: `send("PUT", "/api/settings/gdpr_mode", { value: true })`; gives what the API answered. */
export async function send(method, path, body) {
  const headers = { "X-CSRF-Token": csrf };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await answered(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  return response.json();
}

async function answered(url, options) {
  let response;
  try {
    response = await fetch(url, { ...options, headers: { "X-Requested-With": "fetch", ...options.headers } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, say("errors.offline"));
  }
  if (response.ok) return response;
  if (response.status === 401) return signInFirst();
  const said = await response.json().catch(() => ({}));
  const retryAfter = Number(response.headers.get("Retry-After")) || null;
  throw new ApiError(response.status, said.detail ?? say("errors.odd", { status: response.status }), said.errors, retryAfter);
}

let isSigningOut = false; // then polls that are still under way are refused, and must not lead back to this page

document.addEventListener("submit", (event) => {
  isSigningOut ||= event.target.matches("[data-sign-out]");
});

/** The session has ended: sign in, and come back to this very page. */
function signInFirst() {
  if (!isSigningOut) location.assign(address("/sign-in", { next: location.pathname + location.search }));
  return new Promise(() => {}); // the page is being left: whoever waits has nothing to show any more
}
