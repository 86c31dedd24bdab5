// Fields that say what a page shows. Their values stand in its address, where they differ from what the page begins with.

import { address } from "./api.js";
import { byId } from "./elements.js";

/**
 * Ties the fields with these ids to the parameters of the same names; gives an object that always holds what is chosen.
 * `changed()` is called after a change, and after a step back or forward. What is chosen is one such step, what is typed
 * is none.
 */
export function choices(names, changed) {
  const usual = Object.fromEntries(names.map((name) => [name, byId(name).value]));
  const chosen = {};

  function arrive() {
    const given = new URLSearchParams(location.search);
    for (const name of names) {
      chosen[name] = given.get(name) || usual[name];
      byId(name).value = chosen[name];
    }
  }

  for (const name of names) {
    const field = byId(name);
    field.addEventListener("input", () => {
      chosen[name] = field.value;
      const unusual = Object.entries(chosen).filter(([other, value]) => value !== usual[other]);
      const step = field.localName === "select" ? "pushState" : "replaceState";
      history[step](null, "", address(location.pathname, Object.fromEntries(unusual)));
      changed();
    });
  }
  window.addEventListener("popstate", () => {
    arrive();
    changed();
  });
  arrive();
  return chosen;
}
