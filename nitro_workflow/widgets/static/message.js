// @ts-check
// An Encryption SDK message: frames to scale, which key opens it, its context beside the policy's, fields and bytes.
import { code, el, head, mark, rows, section, size } from "./common.js";
import { ranges, scaleBar, sizes } from "./ranges.js";

/** @typedef {import("./common.js").Host} Host */
/** @typedef {import("./common.js").Tone} Tone */
/**
 * @typedef {object} MessageModel
 * @property {import("./common.js").Head} head @property {number} total @property {import("./tree.js").TreeNode[]} nodes
 * @property {{ name: string, size: number, tint: number }[]} parts @property {{ provider: string, name: string, size: number, opens: string }[]} keys
 * @property {{ name: string, found: string, expected: string, tone: Tone, said: string }[]} context @property {{ name: string, size: number, tint: number }[]} header_parts @property {number} enlarged @property {string} frames @property {string} data
 */

/** @param {MessageModel} m @param {Host} host */
export function draw(m, host) {
  const said = el("p", { class: "note" }, m.frames);
  const chosen = (/** @type {number} */ at) => { said.textContent = `${m.parts[at].name}: ${size(m.parts[at].size)} of ${size(m.total)}`; host.say(said.textContent); };
  const keys = m.keys.map((key) => [code(key.provider), code(key.name), size(key.size), key.opens]);
  const context = m.context.map((pair) => [code(pair.name), code(pair.found || "—"), code(pair.expected || "—"), mark(pair.tone, pair.said)]);
  return el("div", { class: "card" }, head(m.head),
    m.parts.length > 0 && section("The message, to scale", scaleBar(m.parts, chosen), said, el("p", { class: "note" }, `The header’s fields, enlarged ×${m.enlarged.toLocaleString("en")}:`), scaleBar(m.header_parts), sizes(m.parts)),
    keys.length > 0 && section("Which key opens it", rows(["provider", "key", "size", "who opens it"], keys, "Encrypted data keys")),
    context.length > 0 && section("Encryption context", rows(["name", "in the message", "policy asks for", ""], context, "Encryption context")),
    m.data && ranges(m.nodes, m.data, m.total, host));
}
