// @ts-check
// Lines of a difference, with their signs and, where there are colours, coloured.
import { el } from "./common.js";

/** @param {string[]} lines */
export function difference(lines) {
  /** @type {Record<string, string>} */
  const kinds = { "+": "ins", "-": "del" };
  return el("pre", { class: "diff", tabindex: "0" }, ...lines.map((line) => el("span", { class: kinds[line[0]] ?? "ctx" }, `${line}\n`)));
}
