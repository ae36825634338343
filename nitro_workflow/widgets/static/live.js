// @ts-check
// The live form in a notebook: it takes the place of the static HTML of the same view while a kernel answers it.
import { el } from "./common.js";
import { root } from "./root.js";

/** @typedef {import("./common.js").Host} Host */

let questions = 0;

/**
 * Ask the kernel over messages; null where nobody answers. What Python shows in place comes by them too.
 *
 * A model that took two seconds to begin gets no message from anywidget, ever. Its layout, a plain
 * model of ipywidgets, gets all of its own.
 * @param {any} model @param {AbortSignal} signal @returns {Host["ask"]}
 */
function asker(model, signal) {
  const box = model.get("layout");
  /** @type {Map<number, { done: (answer: any) => void, refused: (why: Error) => void }>} */
  const open = new Map();
  /** @param {any} message */
  const hear = (message) => {
    if (message?.model) model.set("model", message.model);
    const waiting = open.get(message?.id);
    if (!waiting) return;
    open.delete(message.id);
    if ("answer" in message) waiting.done(message.answer);
    else waiting.refused(new Error(message.refused));
  };
  box.on("msg:custom", hear);
  signal.addEventListener("abort", () => box.off("msg:custom", hear));
  return model.get("answers") ? (question, values = {}) => new Promise((done, refused) => {
    const id = ++questions;
    open.set(id, { done, refused });
    box.send({ id, question, values });
  }) : null;
}

/** Draw a model into a root; returns what ends that. @param {any} model @param {(m: any, host: Host) => Node} draw @param {Host["draws"]} [draws] */
function start(model, draw, draws) {
  const ending = new AbortController();
  const ask = asker(model, ending.signal);
  const { node, show } = root(draw, ask, ending.signal, draws);
  const again = () => show(model.get("model"));
  again();
  model.on("change:model", again);
  return { node, end: () => { model.off("change:model", again); ending.abort(); } };
}

/** Every view of the page that is alive: its id, and what takes the place of its static form. */
const places = /** @type {any} */ (globalThis).nitroWorkflowPlaces ??= { mounts: new Map(), planned: false };

function fillPlaces() {
  places.planned = false;
  for (const host of document.querySelectorAll("[data-nw-view]:not([data-nw-live])")) {
    places.mounts.get(host.getAttribute("data-nw-view"))?.(host);
  }
}

function watch() {
  places.observer ??= new MutationObserver(() => {
    if (!places.planned) { places.planned = true; requestAnimationFrame(fillPlaces); }
  });
  places.observer.observe(document.body, { childList: true, subtree: true });
  fillPlaces();
}

/** Take the static form's place until the kernel's side of the view is gone; then give it back. @param {any} model @param {(m: any, host: Host) => Node} draw @param {Host["draws"]} [draws] */
function takePlace(model, draw, draws) {
  const id = model.get("view");
  /** @type {Set<() => void>} */
  const endings = new Set();
  places.mounts.set(id, (/** @type {Element} */ host) => {
    const still = [...host.childNodes];
    const { node, end } = start(model, draw, draws);
    host.setAttribute("data-nw-live", "yes");
    host.replaceChildren(node);
    endings.add(() => { end(); host.replaceChildren(...still); host.removeAttribute("data-nw-live"); });
  });
  const leave = () => {
    places.mounts.delete(id);
    for (const end of endings) end();
    endings.clear();
  };
  model.on("comm_live_update", leave);
  watch();
  return leave;
}

/** What anywidget runs. @param {(m: any, host: Host) => Node} draw @param {Host["draws"]} [draws] */
export function widget(draw, draws) {
  return {
    /** @param {{ model: any }} given */
    initialize({ model }) {
      return takePlace(model, draw, draws);
    },
    /** @param {{ model: any, el: HTMLElement }} given */
    render({ model, el: host }) {
      const { node, end } = start(model, draw, draws);
      host.append(el("section", { class: "nw" }, node));
      return end;
    },
  };
}
