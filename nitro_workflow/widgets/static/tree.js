// @ts-check
// A tree of fields, walked by arrows and by typing; what is folded is made when it is opened.
import { el, icon } from "./common.js";

/**
 * @typedef {object} TreeNode
 * @property {string} label
 * @property {string} value
 * @property {number} start
 * @property {number} end
 * @property {string} [note]
 * @property {string} [tint]  class of its kind of field
 * @property {boolean} [open]  turned open at first
 * @property {TreeNode[]} [children]
 */

/**
 * @typedef {object} TreeOptions
 * @property {TreeNode[]} nodes
 * @property {string} label
 * @property {(path: TreeNode[]) => void} [onSelect]  the node chosen, with all above it, outermost first
 * @property {(node: TreeNode | null) => void} [onHover]
 */

/** The path to the innermost node that holds a byte. @param {TreeNode[]} nodes @param {number} at @returns {TreeNode[]} */
export function pathTo(nodes, at) {
  for (const node of nodes) {
    if (at >= node.start && at < node.end) return [node, ...pathTo(node.children ?? [], at)];
  }
  return [];
}

/** @param {TreeOptions} options */
export function tree({ nodes, label, onSelect, onHover }) {
  const root = el("ul", { class: "tree", role: "tree", "aria-label": label });
  /** @type {Map<TreeNode, { item: HTMLElement, above: TreeNode[] }>} */
  const made = new Map();
  /** @type {Map<Element, TreeNode>} */
  const nodeOf = new Map();

  /** @param {TreeNode} node @param {TreeNode[]} above */
  const make = (node, above) => {
    const folds = Boolean(node.children?.length);
    const item = el("li", {
      role: "treeitem", tabindex: "-1", "aria-level": above.length + 1, "aria-selected": "false",
      "aria-expanded": folds ? String(Boolean(node.open)) : undefined,
    },
    el("span", { class: "tw" }, folds && icon("right")),
    el("b", { class: node.tint && `k ${node.tint}` }, node.label), " ",
    el("span", { class: "v" }, node.value),
    node.note && el("em", {}, node.note));
    item.style.setProperty("--d", String(above.length));
    made.set(node, { item, above });
    nodeOf.set(item, node);
    return item;
  };

  /** All rows below a node that are to be seen. @param {TreeNode} node @param {TreeNode[]} above @returns {HTMLElement[]} */
  const rowsOf = (node, above) => {
    const item = made.get(node)?.item ?? make(node, above);
    return [item, ...(node.open ? (node.children ?? []).flatMap((kid) => rowsOf(kid, [...above, node])) : [])];
  };
  const lay = () => {
    const held = document.activeElement;
    root.replaceChildren(...nodes.flatMap((node) => rowsOf(node, [])));
    if (held instanceof HTMLElement && root.contains(held)) held.focus({ preventScroll: true });
  };

  /** @param {TreeNode} node @param {boolean} open */
  const turn = (node, open) => {
    if (!node.children?.length || Boolean(node.open) === open) return;
    node.open = open;
    made.get(node)?.item.setAttribute("aria-expanded", String(open));
    lay();
  };

  /** @type {TreeNode | null} */
  let selected = null;
  /** Show a node as selected, turning open what is above it. @param {TreeNode} node @param {TreeNode[]} above @param {boolean} [focus] */
  const show = (node, above, focus = false) => {
    for (const one of above) turn(one, true);
    if (!made.has(node)) lay();
    for (const { item } of made.values()) {
      const mine = item === made.get(node)?.item;
      item.setAttribute("aria-selected", String(mine));
      item.tabIndex = mine ? 0 : -1;
    }
    selected = node;
    const item = /** @type {HTMLElement} */ (made.get(node)?.item);
    if (focus) item.focus({ preventScroll: true });
    const [high, low] = [item.offsetTop, item.offsetTop + item.offsetHeight];
    if (high < root.scrollTop || low > root.scrollTop + root.clientHeight) root.scrollTop = high - root.clientHeight / 3;
  };
  /** @param {HTMLElement} item */
  const choose = (item) => {
    const node = /** @type {TreeNode} */ (nodeOf.get(item));
    const above = made.get(node)?.above ?? [];
    show(node, above, true);
    onSelect?.([...above, node]);
  };

  let typed = "";
  let typedAt = 0;
  /** @param {string} letter @param {HTMLElement[]} items @param {number} at */
  const search = (letter, items, at) => {
    typed = Date.now() - typedAt > 800 ? letter : typed + letter;
    typedAt = Date.now();
    const from = typed.length > 1 ? at : at + 1;
    return [...items.slice(from), ...items.slice(0, from)].find((item) => nodeOf.get(item)?.label.toLowerCase().startsWith(typed.toLowerCase()));
  };
  root.addEventListener("keydown", (event) => {
    const items = /** @type {HTMLElement[]} */ ([...root.children]);
    const at = items.indexOf(/** @type {any} */ (document.activeElement));
    if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const item = items[at];
    const node = /** @type {TreeNode} */ (nodeOf.get(item));
    const above = made.get(node)?.above ?? [];
    const parent = above.length ? made.get(above[above.length - 1])?.item : undefined;
    /** @type {Record<string, () => HTMLElement | undefined>} */
    const ways = {
      ArrowDown: () => items[at + 1], ArrowUp: () => items[at - 1], Home: () => items[0], End: () => items[items.length - 1],
      ArrowRight: () => { if (node.open) return items[at + 1]; turn(node, true); return item; },
      ArrowLeft: () => { if (node.open && node.children?.length) { turn(node, false); return item; } return parent; },
      Enter: () => { turn(node, !node.open); return item; }, " ": () => { turn(node, !node.open); return item; },
    };
    const way = ways[event.key] ?? (event.key.length === 1 ? () => search(event.key, items, at) : null);
    if (!way) return;
    event.preventDefault();
    event.stopPropagation();
    const next = way();
    if (next) choose(next);
  });
  /** @param {Event} event */
  const under = (event) => (event.target instanceof Element ? /** @type {HTMLElement | null} */ (event.target.closest('[role="treeitem"]')) : null);
  root.addEventListener("click", (event) => {
    const item = under(event);
    if (!item) return;
    const node = /** @type {TreeNode} */ (nodeOf.get(item));
    const turning = event.target instanceof Element && event.target.closest(".tw");
    if (turning || selected === node) turn(node, !node.open);
    choose(item);
  });
  root.addEventListener("mouseover", (event) => { const item = under(event); onHover?.(item ? nodeOf.get(item) ?? null : null); });
  root.addEventListener("mouseleave", () => onHover?.(null));
  lay();
  if (root.firstElementChild) /** @type {HTMLElement} */ (root.firstElementChild).tabIndex = 0;

  return {
    node: root,
    show,
    /** @param {TreeNode | null} node */
    hover(node) {
      for (const [one, { item }] of made) item.classList.toggle("hv", one === node);
    },
  };
}
