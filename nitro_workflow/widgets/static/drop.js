// @ts-check
// A place to drop files on and to paste text into; what Python makes of them is shown below.
import { asked, el, head, icon } from "./common.js";
import { root } from "./root.js";

/** @typedef {import("./common.js").Host} Host */

/** @param {File | Blob} file @returns {Promise<string>} its bytes in base64 */
function base64Of(file) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(String(reader.result).replace(/^[^,]*,/, ""));
    reader.onerror = () => failed(reader.error);
    reader.readAsDataURL(file);
  });
}

/** @param {{ head: import("./common.js").Head, limit: number }} m @param {Host} host */
export function draw(m, host) {
  const shown = el("div", { class: "dropped" });
  const busy = el("p", { class: "note", hidden: true }, "Looking at it…");

  /** @param {{ id: number, kind: string, model: any, asks: boolean, said: string }} view */
  const place = (view) => {
    const ask = view.asks && host.ask ? (/** @type {string} */ question, values = {}) => /** @type {NonNullable<Host["ask"]>} */ (host.ask)("view", { view: view.id, question, values }) : null;
    const { node, show } = root(host.draws[view.kind], ask, host.signal, host.draws);
    const close = el("button", { type: "button", onclick: () => box.remove() }, "Put away");
    const box = el("div", { class: "nw seen" }, el("p", { class: "note" }, `Recognised: ${view.said} `, close), node);
    shown.prepend(box);
    show(view.model);
  };
  /** @param {string} name @param {File | Blob} file */
  const look = async (name, file) => {
    if (file.size > m.limit) return host.say(`${name} is too large for this place: name the file to inspect() or to the command instead`);
    busy.hidden = false;
    const views = await asked(host, "inspect", { name, data: await base64Of(file) });
    busy.hidden = true;
    if (!views) return undefined;
    views.forEach(place);
    return host.say(views.map((/** @type {any} */ view) => `${name}: ${view.model.head.verdict}`).join(". "));
  };
  const paste = /** @type {HTMLTextAreaElement} */ (el("textarea", { rows: "3", "aria-label": "Text to inspect: base64, hex, PEM, JSON, a line of a log", placeholder: "… or paste base64, hex, PEM, JSON, a line of a log", spellcheck: "false" }));
  paste.addEventListener("keydown", (event) => { event.stopPropagation(); if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) ask(); });
  const ask = () => { if (paste.value.trim()) void look("pasted text", new Blob([paste.value])); };
  const picker = /** @type {HTMLInputElement} */ (el("input", { type: "file", multiple: true, class: "sr", tabindex: "-1", "aria-label": "Files to inspect" }));
  picker.addEventListener("change", () => { for (const file of picker.files ?? []) void look(file.name, file); picker.value = ""; });
  const zone = el("div", { class: "zone" }, icon("drop"), el("p", {}, el("b", {}, "Drop files here"), " or ", el("button", { type: "button", onclick: () => picker.click() }, "choose files"), picker),
    paste, el("p", {}, el("button", { type: "button", onclick: ask }, "Inspect the text")), busy);
  zone.addEventListener("dragover", (event) => { event.preventDefault(); event.stopPropagation(); zone.classList.add("over"); });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    zone.classList.remove("over");
    for (const file of event.dataTransfer?.files ?? []) void look(file.name, file);
    const text = event.dataTransfer?.files.length ? "" : event.dataTransfer?.getData("text/plain");
    if (text) void look("dropped text", new Blob([text]));
  });
  const card = el("article", { class: "card", "aria-label": "Inspect" }, head(m.head), host.ask ? el("div", { class: "part" }, zone) : null);
  return el("div", {}, card, shown);
}
