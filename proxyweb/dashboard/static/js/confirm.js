// Asks before what can't be undone.

import { el } from "./elements.js";
import { say } from "./words.js";

/**
 * A dialog with `title`, `why`, and a button that says `button`; with `word`, only who types it can press that. Gives
 * whether it was pressed.
 */
export function confirmed({ title, why, button, word = null }) {
  const typed = word && el("input", { class: "form-control", id: "confirm-word", type: "text", autocomplete: "off" });
  const go = el("button", { class: "btn btn-danger", type: "submit", disabled: Boolean(word) }, button);
  const cancel = el("button", { class: "btn", type: "button", onclick: () => dialog.close() }, say("settings.cancel"));
  let isConfirmed = false;
  const form = el("form", { onsubmit: (event) => {
    event.preventDefault();
    isConfirmed = true;
    dialog.close();
  } },
    el("h2", { class: "card-title", id: "confirm-title" }, title),
    el("p", { id: "confirm-why" }, why),
    typed && el("label", { class: "form-label", for: "confirm-word" }, say("settings.all.type", { word })), typed,
    el("div", { class: "confirm-buttons" }, cancel, go));
  const dialog = el("dialog", { class: "card confirm", "aria-labelledby": "confirm-title", "aria-describedby": "confirm-why" }, form);
  typed?.addEventListener("input", () => { go.disabled = typed.value.trim().toLowerCase() !== word; });
  document.body.append(dialog);
  dialog.showModal();
  (typed ?? cancel).focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(isConfirmed);
    });
  });
}
