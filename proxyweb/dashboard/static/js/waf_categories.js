// The WAF's categories of rules: what each is after, what it found, and a switch for who may use it.

import { send } from "./api.js";
import { el, fill } from "./elements.js";
import { number } from "./format.js";
import { say } from "./words.js";

const COLUMNS = [
  { name: "name", title: "columns.category" },
  { name: "rules", title: "threats.categories.rules" },
  { name: "matches", title: "threats.categories.matches" },
  { name: "blocked", title: "columns.blocked" },
  { name: "switch", title: "threats.categories.switch" },
];

/** SQL_INJECTION → SQL INJECTION. */
export function categoryName(category) {
  return category.replaceAll("_", " ");
}

/** The table without rows, and its body. */
export function categoryTable(caption) {
  const body = el("tbody", { role: "rowgroup" });
  const headings = COLUMNS.map(({ name, title }) => el("th", { scope: "col", role: "columnheader", class: `waf-${name}` }, say(title)));
  const table = el("table", { class: "table card-table waf-categories stack-categories", role: "table" },
    el("caption", { class: "visually-hidden" }, caption),
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, headings)),
    body);
  return { table, body };
}

/** A category's row, for `lastingRows`, whose values are the API's; who is no admin sees a word for a switch. */
export function categoryRow(name, isAdmin) {
  const cells = Object.fromEntries(COLUMNS.map((column) =>
    [column.name, el("td", { role: "cell", class: `waf-${column.name}`, "data-label": say(column.title) })]));
  let described = null;
  let state = null;
  function update({ description, rules, matches, blocked, enabled }) {
    if (described !== description) fill(cells.name, ...words(name, description));
    described = description;
    fill(cells.rules, number(rules));
    fill(cells.matches, number(matches));
    fill(cells.blocked, number(blocked));
    state ??= !rules ? unknown() : isAdmin ? switchOf(name) : tag();
    if (!cells.switch.firstChild) cells.switch.append(...state.nodes);
    state.update(enabled);
  }
  return { node: el("tr", { role: "row", "data-category": name }, Object.values(cells)), update };
}

/** The description's first sentence, and the rest for who asks. */
function words(name, description) {
  const [, first, rest] = /^(.*?[.!?])(?:\s+(?=[A-Z])([^]*))?$/.exec(description) ?? [null, description, ""];
  const heading = el("span", { class: "waf-title" }, categoryName(name));
  if (!rest) return [heading, el("p", { class: "waf-description" }, first || say("threats.categories.only_in_log"))];
  return [heading, el("details", { class: "waf-description" }, el("summary", {}, first), rest)];
}

/** Switches at once, says so, and switches back with the API's sentence if it can't be. */
function switchOf(name) {
  const input = el("input", { class: "form-check-input", type: "checkbox", role: "switch", "aria-label": say("threats.categories.look_for", { name: categoryName(name) }), onchange: change });
  const said = el("p", { class: "waf-said", role: "status" });
  let changes = 0;
  let enabled = true;

  async function change() {
    const wanted = input.checked;
    changes += 1;
    said.classList.remove("is-trouble");
    fill(said, say(wanted ? "threats.categories.on" : "threats.categories.off"));
    try {
      await send("POST", "/api/waf/categories/toggle", { category: name, enabled: wanted });
      enabled = wanted;
      fill(said, say("threats.categories.in_force"));
    } catch (error) {
      input.checked = enabled;
      said.classList.add("is-trouble");
      fill(said, error.message);
    } finally {
      changes -= 1;
    }
  }

  function update(value) {
    if (changes) return;
    enabled = value;
    input.checked = value;
  }
  return { nodes: [el("span", { class: "form-check form-switch m-0" }, input), said], update };
}

function tag() {
  const node = el("span", {});
  function update(enabled) {
    node.className = `tag tag-${enabled ? "on" : "off"}`;
    fill(node, say(enabled ? "threats.categories.on" : "threats.categories.off"));
  }
  return { nodes: [node], update };
}

function unknown() {
  return { nodes: [say("format.none")], update: () => {} };
}
