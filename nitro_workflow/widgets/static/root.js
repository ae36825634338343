// @ts-check
// The root of a live form: one card, one live region, drawn again whenever its model changes.
import { el } from "./common.js";

/** @typedef {import("./common.js").Host} Host */

/**
 * @param {(model: any, host: Host) => Node} draw
 * @param {Host["ask"]} ask
 * @param {AbortSignal} signal
 * @param {Host["draws"]} [draws]
 */
export function root(draw, ask, signal, draws = {}) {
  const said = el("div", { class: "sr", role: "status", "aria-live": "polite" });
  const place = el("div");
  let drawn = new AbortController();
  /** @param {any} model */
  const show = (model) => {
    drawn.abort();
    drawn = new AbortController();
    place.className = `kind-${model.kind}`;
    place.replaceChildren(draw(model, { ask, say, redraw: show, signal: drawn.signal, draws }));
  };
  /** @param {string} text */
  const say = (text) => { said.textContent = text; };
  signal.addEventListener("abort", () => drawn.abort());
  return { node: el("div", { class: "live" }, place, said), show, say };
}
