// Rows that stay while their figures change: nobody loses the focus, an open menu or what they are about to click.

/** A function that gives the row of a key with a new value; `make(key)` → `{ node, update(value) }` makes it once. */
export function lastingRows(make) {
  const known = new Map();
  return (key, value) => {
    if (!known.has(key)) known.set(key, make(key));
    const row = known.get(key);
    row.update(value);
    return row.node;
  };
}

/** Put `nodes` into `parent` in this order. While someone is at it, only if `isAsked`: nothing moves under a hand. */
export function arrange(parent, nodes, { isAsked = false } = {}) {
  const isThere = nodes.length === parent.children.length && nodes.every((node, at) => node === parent.children[at]);
  if (isThere || (!isAsked && parent.children.length && parent.matches(":hover, :focus-within"))) return;
  parent.replaceChildren(...nodes);
}
