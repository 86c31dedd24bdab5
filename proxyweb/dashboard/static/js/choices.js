// Choices that a page keeps in its address, such as which time. The buttons are the template's (macro `choice`),
// or fields that narrow what is shown.

import { address } from "./api.js";
import { byId } from "./elements.js";

/**
 * `const { chosen, asked } = choices({ window: "7d" }, () => now())`: usual values by name. `chosen.window` is what
 * the address says, else the usual. A button's click goes into the address; that and going back call `changed`.
 * A name without buttons is a field's, whose input goes there too and calls `narrowed`: nothing else is asked for then.
 * `asked(refresh)` is for `live`: it gives `refresh` a signal that ends what is asked in vain once something else is
 * chosen, and marks the page busy until that is shown.
 */
export function choices(usual, changed, narrowed = changed) {
  const chosen = {};
  const content = byId("content");
  let controller = new AbortController();

  function read() {
    const given = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(usual)) {
      if (!buttonsOf(name)) {
        byId(name).value = chosen[name] = given.get(name) || value;
        continue;
      }
      const buttons = [...buttonsOf(name).children];
      const isOffered = buttons.some((button) => button.value === given.get(name));
      chosen[name] = isOffered ? given.get(name) : value;
      for (const button of buttons) button.setAttribute("aria-pressed", String(button.value === chosen[name]));
    }
  }

  function arrive() {
    read();
    controller.abort();
    content.setAttribute("aria-busy", "true");
    changed();
  }

  function choose(name, value) {
    if (value === chosen[name]) return;
    goTo("pushState", name, value);
    arrive();
  }

  /** What is typed is no step to go back. */
  function narrow(name, { localName, value }) {
    chosen[name] = value;
    goTo(localName === "select" ? "pushState" : "replaceState", name, value);
    narrowed();
  }

  function goTo(step, name, value) {
    const wanted = Object.entries({ ...chosen, [name]: value }).filter(([other, one]) => one !== usual[other]);
    history[step](null, "", address(location.pathname, Object.fromEntries(wanted)));
  }

  function asked(refresh) {
    return async () => {
      const mine = new AbortController();
      controller = mine;
      await refresh(mine);
      if (!mine.signal.aborted) content.removeAttribute("aria-busy");
    };
  }

  for (const name of Object.keys(usual)) {
    buttonsOf(name)?.addEventListener("click", ({ target }) => {
      const button = target.closest("button");
      if (button) choose(name, button.value);
    });
    if (!buttonsOf(name)) byId(name).addEventListener("input", ({ target }) => narrow(name, target));
  }
  window.addEventListener("popstate", arrive);
  read();
  return { chosen, asked };
}

function buttonsOf(name) {
  return document.getElementById(`${name}-choice`);
}
