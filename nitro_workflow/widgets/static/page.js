// @ts-check
// A page of its own: the live forms take the places of the static ones; questions go to the server that sent it, if one did.
import { root } from "./root.js";

/** @typedef {import("./common.js").Host} Host */

/** Ask the server of this page; one question after another, as a kernel answers them. @param {string} where @returns {NonNullable<Host["ask"]>} */
function asker(where) {
  /** @param {string} question @param {object} values */
  const send = async (question, values) => {
    const answer = await fetch(where, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ id: 0, question, values }) });
    if (!answer.ok) throw new Error(answer.status === 413 ? "That is too large: name the file to inspect() or to the command instead" : `The server said ${answer.status}`);
    const told = await answer.json();
    if ("refused" in told) throw new Error(told.refused);
    return told.answer;
  };
  /** @type {Promise<any>} */
  let last = Promise.resolve();
  return (question, values = {}) => (last = last.catch(() => {}).then(() => send(question, values)));
}

/** @param {Host["draws"]} draws */
export function start(draws) {
  const models = JSON.parse(document.getElementById("nw-models")?.textContent ?? "[]");
  const where = document.body.dataset.ask;
  document.querySelectorAll("[data-nw-page]").forEach((host) => {
    const model = models[Number(host.getAttribute("data-nw-page"))];
    if (!draws[model.kind]) return; // its HTML is all there is
    const { node, show } = root(draws[model.kind], where ? asker(where) : null, new AbortController().signal, draws);
    host.replaceChildren(node);
    show(model);
  });
}
