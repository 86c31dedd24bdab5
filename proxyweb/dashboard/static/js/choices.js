// Choices that a page keeps in its address, such as which time. The buttons are the template's (macro `choice`).

import { address } from "./api.js";
import { byId } from "./elements.js";

/**
 * `const { chosen, asked } = choices({ window: "7d" }, () => now())`: usual values by name. `chosen.window` is what
 * the address says, else the usual. A button's click goes into the address; that and going back call `changed`.
 * `asked(refresh)` is for `live`: it gives `refresh` a signal that ends what is asked in vain once something else is
 * chosen, and marks the page busy until that is shown.
 */
export function choices(usual, changed) {
  const chosen = {};
  const content = byId("content");
  let controller = new AbortController();

  function read() {
    const given = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(usual)) {
      const buttons = [...byId(`${name}-choice`).children];
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
    const wanted = Object.entries({ ...chosen, [name]: value }).filter(([other, one]) => one !== usual[other]);
    history.pushState(null, "", address(location.pathname, Object.fromEntries(wanted)));
    arrive();
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
    byId(`${name}-choice`).addEventListener("click", ({ target }) => {
      const button = target.closest("button");
      if (button) choose(name, button.value);
    });
  }
  window.addEventListener("popstate", arrive);
  read();
  return { chosen, asked };
}
