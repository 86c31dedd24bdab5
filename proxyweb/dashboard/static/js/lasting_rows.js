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

const waiting = new WeakMap();

/** Put `nodes` into `parent` in this order; while someone is at it, only if they asked, or else when they leave it. */
export function arrange(parent, nodes, { isAsked = false } = {}) {
  const isThere = nodes.length === parent.children.length && nodes.every((node, at) => node === parent.children[at]);
  if (!isThere && !isAsked && parent.children.length && parent.matches(":hover, :focus-within")) return wait(parent, nodes);
  waiting.delete(parent);
  return isThere ? undefined : parent.replaceChildren(...nodes);
}

function wait(parent, nodes) {
  waiting.set(parent, nodes);
  for (const left of ["pointerleave", "focusout"]) parent.addEventListener(left, settle); // the same twice is once
}

function settle({ currentTarget: parent }) {
  setTimeout(() => waiting.has(parent) && arrange(parent, waiting.get(parent)));
}
