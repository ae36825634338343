// @ts-check
// A sealed key: which key opens it, its fields to scale, fields and bytes.
import { digest, el, facts, head, section } from "./common.js";
import { leaves, ranges, scaleBar } from "./ranges.js";

/** @typedef {import("./common.js").Host} Host */
/** @typedef {import("./tree.js").TreeNode} TreeNode */
/** @typedef {{ head: import("./common.js").Head, nodes: TreeNode[], data: string, opens: string, key: import("./common.js").Digest | null, facts: [string, string][] }} EnvelopeModel */

/** The innermost fields with the encoding between them. @param {TreeNode[]} nodes */
export function parts(nodes) {
  const found = [];
  let at = 0;
  for (const leaf of leaves(nodes)) {
    if (leaf.start > at) found.push({ name: "encoding", size: leaf.start - at, tint: 6 });
    found.push({ name: leaf.label, size: leaf.end - leaf.start, tint: Number(leaf.tint?.slice(1)) || 6 });
    at = leaf.end;
  }
  return found;
}

/** @param {EnvelopeModel} m @param {Host} host */
export function draw(m, host) {
  return el("div", { class: "card" }, head(m.head),
    section("Which key opens it", facts([["opened by", m.opens], ["key", m.key && digest(m.key)], ...m.facts])),
    m.nodes.length > 0 && section("The fields, to scale", scaleBar(parts(m.nodes))),
    m.data && ranges(m.nodes, m.data, m.data.length / 2, host));
}
