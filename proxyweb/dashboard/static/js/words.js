// Every word the scripts say, from the file that the templates read too.

const address = new URL(`../words/${document.documentElement.lang}.json`, import.meta.url);
const words = await (await fetch(address)).json();

/** The words for a key such as `overview.title`, with `{name}` replaced by `values.name`; throws for an unknown key. */
export function say(key, values = {}) {
  const text = key.split(".").reduce((found, part) => found?.[part], words);
  if (typeof text !== "string") throw new Error(`There are no words for ${key}`);
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

/** Whether there are words for a key; for names that come from the server. */
export function hasWords(key) {
  return typeof key.split(".").reduce((found, part) => found?.[part], words) === "string";
}
