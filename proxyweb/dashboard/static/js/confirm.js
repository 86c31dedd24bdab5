// Asks before something is done that is not easily undone.

import { byId, el, fill } from "./elements.js";
import { say } from "./words.js";

/**
 * A dialog with `title`, `why`, a field `{ label, maxlength }` where there is one, and a button that says `button`; with
 * `word`, only who types it can press that. `act(text)`, async, is then done before the dialog closes: what it gives is
 * said in the place of the question, the server's no below it. Resolves to whether the button was pressed, once closed.
 */
export function confirmed({ title, why, button, word = null, field = word && { label: say("confirm.type", { word }) }, act = null }) {
  const opener = document.activeElement;
  const typed = field && el("input", { class: "form-control", id: "confirm-text", type: "text", autocomplete: "off", maxlength: field.maxlength });
  const go = el("button", { class: "btn btn-danger", type: "submit", disabled: Boolean(word) }, button);
  const cancel = el("button", { class: "btn", type: "button", onclick: () => dialog.close() }, say("confirm.cancel"));
  const said = el("div", { class: "confirm-said", role: "status" });
  const question = el("div", {}, el("p", { id: "confirm-why" }, why),
    typed && el("label", { class: "form-label", for: "confirm-text" }, field.label), typed);
  const form = el("form", { onsubmit: (event) => { event.preventDefault(); press(); } },
    el("h2", { class: "card-title", id: "confirm-title" }, title), question, said,
    el("div", { class: "confirm-buttons" }, cancel, go));
  const dialog = el("dialog", { class: "card confirm", "aria-labelledby": "confirm-title", "aria-describedby": "confirm-why" }, form);
  let isConfirmed = false;

  async function press() {
    isConfirmed = true;
    if (!act) return dialog.close();
    go.disabled = true;
    try {
      const answer = await act(typed?.value.trim() ?? "");
      question.hidden = go.hidden = true;
      fill(cancel, say("confirm.close"));
      fill(said, answer.map((sentence) => el("p", {}, sentence)));
      cancel.focus();
    } catch (error) {
      go.disabled = false;
      fill(said, el("p", { class: "bad-words" }, error.detail ?? String(error)));
      if (error.status === undefined) throw error; // a mistake in a script belongs in the console too
    }
    return undefined;
  }

  if (word) typed.addEventListener("input", () => { go.disabled = typed.value.trim().toLowerCase() !== word; });
  document.body.append(dialog);
  dialog.showModal();
  (typed ?? cancel).focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      // The browser gives the focus back to what opened it; what is gone since can't have it.
      if (!opener.isConnected) byId("content").focus({ preventScroll: true });
      resolve(isConfirmed);
    });
  });
}
