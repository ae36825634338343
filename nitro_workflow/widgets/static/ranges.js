// @ts-check
// Nested ranges of bytes: a tree and the bytes beside it, one selection for both.
import { code, copyButton, el, fold, section, size, svg } from "./common.js";
import { fromHex, hexPane, toHex } from "./hex.js";
import { pathTo, tree } from "./tree.js";

/** @typedef {import("./common.js").Host} Host */
/** @typedef {import("./tree.js").TreeNode} TreeNode */

/** The innermost fields, in order. @param {TreeNode[]} nodes @returns {TreeNode[]} */
export function leaves(nodes) {
  return nodes.flatMap((node) => (node.children?.length ? leaves(node.children) : [node]));
}

/** The tint of each byte: that of the innermost field that has one. @param {TreeNode[]} nodes @param {number} at */
export function tintAt(nodes, at) {
  return pathTo(nodes, at).reduce((tint, node) => node.tint || tint, "");
}

/** Parts of a whole, to scale; a click chooses one. @param {{ name: string, size: number, tint: number }[]} parts @param {(at: number) => void} [chosen] */
export function scaleBar(parts, chosen) {
  const total = parts.reduce((sum, part) => sum + part.size, 0) || 1;
  const root = svg("svg", { class: "scale", viewBox: "0 0 100 8", preserveAspectRatio: "none", role: "img", "aria-label": "Parts, to scale" });
  let x = 0;
  parts.forEach((part, index) => {
    const width = (100 * part.size) / total;
    root.append(svg("rect", { x, width, height: 8, fill: `var(--nw-f${part.tint})`, stroke: "var(--nw-bg)", "stroke-width": 0.2, onclick: () => chosen?.(index) }, svg("title", {}, `${part.name}, ${size(part.size)}`)));
    x += width;
  });
  return root;
}

/** A tree with its bytes. @param {TreeNode[]} nodes @param {string} data  hex of the beginning @param {number} total @param {Host} host */
export function ranges(nodes, data, total, host) {
  const bytes = fromHex(data);
  let selected = /** @type {[number, number]} */ ([0, 0]);
  const where = el("span", { class: "mono note" }, "Choose a field or a byte.");
  /** @param {TreeNode[]} path */
  const show = (path) => {
    const node = path[path.length - 1];
    selected = [node.start, Math.min(node.end, bytes.length)];
    if (node.start < bytes.length) pane.select(selected, node.start);
    where.replaceChildren(code(path.map((one) => one.label).join(" › ")), ` ${node.value} · bytes ${node.start}–${Math.max(node.end - 1, node.start)}, ${size(node.end - node.start)}`);
    host.say(`${node.label}, ${node.value}, bytes ${node.start} to ${node.end}`);
  };
  const fields = tree({ nodes, label: "Fields", onSelect: show, onHover: (node) => node && fields.hover(node) });
  const pane = hexPane({
    size: bytes.length, read: (start, end) => bytes.subarray(start, end), label: `Bytes, ${bytes.length}`, tint: (at) => tintAt(nodes, at),
    onSelect(range, at) {
      const path = pathTo(nodes, at);
      if (range[1] - range[0] > 1 || !path.length) { selected = range; pane.select(range, at); return; }
      fields.show(path[path.length - 1], path.slice(0, -1));
      show(path);
    },
  });
  const more = total > bytes.length ? ` The first ${size(bytes.length)} of ${size(total)} are here.` : "";
  return section("Fields and bytes", el("div", { class: "panes" }, fields.node, pane.node),
    el("p", { class: "under" }, copyButton("hex", () => toHex(bytes.subarray(...selected)), host), " ", where, more && el("span", { class: "note" }, more)));
}

/** The sizes of parts, for those who cannot see the bar. @param {{ name: string, size: number }[]} parts */
export function sizes(parts) {
  return fold("The sizes", el("ul", { class: "plain" }, ...parts.map((part) => el("li", {}, `${part.name}: ${size(part.size)}`))));
}
