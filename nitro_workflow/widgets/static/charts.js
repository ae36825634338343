// @ts-check
// A chart that Python laid out as shapes; the parts that can be picked are buttons.
import { el, svg } from "./common.js";

/** @typedef {{ tag: string, attributes: [string, string][], text: string, pick: string }} Shape */
/** @typedef {{ width: number, height: number, label: string, shapes: Shape[] }} Chart */

/**
 * @param {Chart} c
 * @param {((pick: string) => void) | null} [chosen]  called with what a picked part stands for
 * @returns {HTMLElement}
 */
export function chart(c, chosen = null) {
  const root = svg("svg", { class: "chart", role: chosen ? "group" : "img", "aria-label": c.label, viewBox: `0 0 ${c.width} ${c.height}` });
  for (const shape of c.shapes) {
    const node = svg(shape.tag, Object.fromEntries(shape.attributes), shape.text);
    if (chosen && shape.pick) {
      node.setAttribute("data-pick", shape.pick);
      node.addEventListener("click", () => chosen(shape.pick));
    }
    root.append(node);
  }
  return el("div", { class: "charted" }, root);
}
