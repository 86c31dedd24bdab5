// A pattern tried on what was asked for lately, before it becomes a rule. What it matched is text, as everything is.

import { send } from "./api.js";
import { byId, el, fill } from "./elements.js";
import { number } from "./format.js";
import { facts } from "./table.js";
import { say } from "./words.js";

/** Makes the form #trial work; it fills #trial-result, and says in #trial-trouble what is wrong with a pattern. */
export function ruleTrial() {
  const form = byId("trial");
  const button = form.querySelector("button");
  const field = form.elements.regex;

  async function run(event) {
    event.preventDefault();
    if (button.disabled) return;
    button.disabled = true;
    wrong(null);
    fill(byId("trial-result"), el("p", { class: "empty-words" }, say("threats.trial.running")));
    try {
      const { data } = await send("POST", "/api/waf/test-rule", { regex: field.value, hours: Number(form.elements.hours.value) });
      fill(byId("trial-result"), ...result(data));
    } catch (error) {
      fill(byId("trial-result"));
      wrong(error.message);
    } finally {
      button.disabled = false;
      button.focus();
    }
  }

  function wrong(sentence) {
    fill(byId("trial-trouble"), sentence);
    field.setAttribute("aria-invalid", String(sentence !== null));
    field.classList.toggle("is-invalid", sentence !== null);
  }

  field.setAttribute("aria-describedby", "trial-trouble");
  form.addEventListener("submit", run);
}

function result({ scanned, matched, examples, would_block: wouldBlock }) {
  return [
    el("p", { class: `trial-verdict ${wouldBlock ? "is-trouble" : ""}` }, say(wouldBlock ? "threats.trial.would_block" : "threats.trial.would_not_block")),
    facts([[say("threats.trial.scanned"), number(scanned)], [say("threats.trial.matched"), number(matched)]]),
    examples.length ? el("h3", { class: "subheader mt-3" }, say("threats.trial.examples", { count: number(examples.length) })) : null,
    examples.length ? el("ul", { class: "trial-examples", tabindex: "0", "aria-label": say("threats.trial.examples", { count: number(examples.length) }) },
      examples.map((text) => el("li", {}, text))) : null,
  ];
}
