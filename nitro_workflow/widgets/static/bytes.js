// @ts-check
// Bytes of no form that is known: the hex view, and what they look like most.
import { copyButton, el, head, section, size } from "./common.js";
import { fromHex, hexPane, toHex } from "./hex.js";

/** @typedef {import("./common.js").Host} Host */
/** @typedef {{ head: import("./common.js").Head, data: string, size: number, guesses: string[] }} BytesModel */

/** @param {BytesModel} m @param {Host} host */
export function draw(m, host) {
  const data = fromHex(m.data);
  /** @type {[number, number]} */
  let selected = [0, 0];
  const where = el("span", { class: "mono note" }, "Choose a byte, or walk with the arrow keys.");
  const pane = hexPane({
    size: data.length, read: (start, end) => data.subarray(start, end), label: `Bytes, ${data.length}`,
    onSelect(range, at) {
      selected = range;
      pane.select(range, at);
      where.textContent = `bytes ${range[0]}–${range[1] - 1} · ${size(range[1] - range[0])}`;
      host.say(`byte ${at}: ${toHex(data.subarray(at, at + 1))}`);
    },
  });
  const rest = m.size - data.length;
  return el("div", { class: "card" }, head(m.head),
    m.guesses.length > 1 && section("It may be something else", el("ul", {}, ...m.guesses.slice(1).map((guess) => el("li", {}, guess)))),
    el("div", {}, pane.node),
    el("div", { class: "part" }, el("p", {}, copyButton("hex", () => toHex(data.subarray(...selected)), host), " ", where),
      rest > 0 && el("p", { class: "note" }, `The first ${size(data.length)} are shown; ${size(rest)} more follow.`)));
}
