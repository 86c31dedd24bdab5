// Elements are made here and nowhere else. Texts become text nodes: nothing from a log is ever read as HTML.

const ATTRIBUTES = new Set(["class", "href", "id", "title", "type", "for", "name", "value", "placeholder", "scope",
  "role", "tabindex", "datetime", "colspan", "download", "rel", "min", "max", "maxlength", "autocomplete", "open"]);
const SVG = "http://www.w3.org/2000/svg";

/**
 * `el("a", { class: "link", href: "/logs", onclick: handler }, "Logs", …)`: attributes by name (`aria-*` and `data-*`
 * too), functions as listeners, `hidden`/`disabled`/`checked` as properties. Children are nodes or texts; null is none.
 */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else if (value === true) node[name] = true;
    else if (name === "href") node.setAttribute(name, local(value));
    else if (ATTRIBUTES.has(name) || /^(aria|data)-/.test(name)) node.setAttribute(name, String(value));
    else throw new Error(`${name} is not an attribute that el() sets`);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined).map(asNode));
  return node;
}

/** Put these in the place of what `node` holds. */
export function fill(node, ...children) {
  node.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined).map(asNode));
}

/** `fill` for what is filled again and again: what has the focus in it keeps it, and what was unfolded stays so. */
export function refill(node, ...children) {
  const named = (one) => one.getAttribute("aria-label") ?? one.getAttribute("href") ?? one.textContent;
  const held = node.contains(document.activeElement) ? named(document.activeElement) : null;
  const unfolded = [...node.querySelectorAll("details")].map((details) => details.open);
  fill(node, ...children);
  node.querySelectorAll("details").forEach((details, place) => { details.open = unfolded[place] ?? false; });
  if (held === null) return;
  [...node.querySelectorAll("a, button, summary")].find((one) => named(one) === held)?.focus({ preventScroll: true });
}

/** The element with this id, which the template has. */
export function byId(id) {
  const node = document.getElementById(id);
  if (!node) throw new Error(`The page has no #${id}`);
  return node;
}

/** An icon of `icons.svg`. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${new URL("../icons.svg", import.meta.url).pathname}#${name}`);
  svg.append(use);
  return svg;
}

/** A bar of `share` (0 to 1) of its place. Decoration: the figure stands beside it. */
export function bar(share, kind = "") {
  const inner = el("div", { class: `bar-inner ${kind}` });
  inner.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return el("div", { class: "bar", "aria-hidden": "true" }, inner);
}

function local(address) {
  if (!/^(\/(?!\/)|\?|#)/.test(address)) throw new Error("Links lead to pages of our own");
  return address;
}

function asNode(child) {
  return child instanceof Node ? child : document.createTextNode(String(child));
}
