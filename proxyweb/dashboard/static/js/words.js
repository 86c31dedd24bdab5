// Every word the scripts say, from the file that the templates read too.

const address = new URL(`../words/${document.documentElement.lang}.json`, import.meta.url);
const words = await (await fetch(address)).json();

/**
 * The words for a key such as `overview.title`; throws for an unknown one. `{name}` is `values.name` there, and
 * `{name|request|requests}` the first word where that is 1, else the second.
 */
export function say(key, values = {}) {
  const text = key.split(".").reduce((found, part) => found?.[part], words);
  if (typeof text !== "string") throw new Error(`There are no words for ${key}`);
  return text.replace(/\{(\w+)(?:\|([^|}]*)\|([^}]*))?\}/g, (_, name, one, more) =>
    (more === undefined ? String(values[name]) : String(values[name]) === "1" ? one : more));
}

/** Whether there are words for a key; for names that come from the server. */
export function hasWords(key) {
  return typeof key.split(".").reduce((found, part) => found?.[part], words) === "string";
}
