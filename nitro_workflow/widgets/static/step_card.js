// @ts-check
// A step's card: evidence, and the call itself in every form; tabs by arrows, copy, open the bytes.
import { asked, chip, code, copyButton, digest, el, facts, fold, head, mark, roving } from "./common.js";
import { draw as drawBytes } from "./bytes.js";
import { draw as drawDocument } from "./document.js";
import { draw as drawEnvelope } from "./envelope.js";
import { draw as drawMessage } from "./message.js";

/** @typedef {import("./common.js").Host} Host */
/** @typedef {import("./common.js").Tone} Tone */
/** @typedef {{ name: string, text: string }} Tab */
/** @typedef {{ title: string, tone: Tone, said: string, source: string, tabs: Tab[] }} Exchange */
/** @typedef {{ number: string, state: "done" | "here" | "to do" }} Strip */
/**
 * @typedef {{ head: import("./common.js").Head, number: string, strip: Strip[], basis: string, tiles: { label: string, digest: import("./common.js").Digest }[],
 *   facts: [string, string][], notes: string[], exchanges: Exchange[], code: [string, string][], openable: [string, string][] }} StepModel
 */

/** The strip of the 17 steps. @param {Strip[]} steps */
export function strip(steps) {
  const marks = { done: "✓", here: "◀", "to do": "·" };
  return el("ol", { class: "walked", "aria-label": "The 17 steps" }, ...steps.map((one) =>
    el("li", { class: one.state.replace(" ", "-"), title: one.state, "aria-current": one.state === "here" && "step" }, el("b", {}, one.number), ` ${marks[one.state]}`)));
}

/** Which exchange is shown first: the one that was refused, else the last, which did the step's work. @param {Exchange[]} exchanges */
export function foremost(exchanges) {
  const refused = exchanges.findIndex((one) => one.tone === "bad");
  return refused >= 0 ? refused : Math.max(exchanges.length - 1, 0);
}

/** What is opened in its own inspector, here in the card. @type {Record<string, (m: any, host: Host) => Node>} */
const OPENED = { bytes: drawBytes, document: drawDocument, envelope: drawEnvelope, message: drawMessage };

let cards = 0;

/** The forms of one call as tabs. @param {Exchange} one @param {Host} host */
function forms(one, host) {
  const prefix = `nw-step-${++cards}`;
  const panel = el("div", { role: "tabpanel", id: `${prefix}-panel`, tabindex: 0 });
  let text = "";
  const buttons = one.tabs.map((tab, at) => el("button", { type: "button", role: "tab", id: `${prefix}-${at}`, "aria-controls": `${prefix}-panel`, onclick: () => show(at) }, tab.name));
  /** @param {number} at */
  const show = (at) => {
    text = one.tabs[at].text;
    buttons.forEach((button, index) => { button.setAttribute("aria-selected", String(index === at)); button.tabIndex = index === at ? 0 : -1; });
    panel.setAttribute("aria-labelledby", `${prefix}-${at}`);
    panel.replaceChildren(el("pre", {}, text));
  };
  const list = el("div", { role: "tablist", "aria-label": "The call itself" }, ...buttons);
  roving(list, '[role="tab"]', (tab) => show(buttons.indexOf(/** @type {any} */ (tab))));
  show(0);
  return el("div", {}, el("div", { class: "tabs" }, list, el("span", { class: "push" }, copyButton("Copy", () => text, host))), panel);
}

/** All calls of the step, one of them shown. @param {Exchange[]} exchanges @param {Host} host */
function calls(exchanges, host) {
  if (!exchanges.length) return el("p", { class: "part note" }, "No call left this party: all of it happened inside.");
  const place = el("div");
  const buttons = exchanges.map((_, at) => el("button", { type: "button", onclick: () => show(at) }));
  /** @param {number} at @param {boolean} [aloud] */
  const show = (at, aloud = true) => {
    const one = exchanges[at];
    buttons.forEach((button, index) => {
      button.setAttribute("aria-pressed", String(index === at));
      button.replaceChildren(...(index === at ? ["▸ "] : []), mark(exchanges[index].tone, exchanges[index].title));
    });
    place.replaceChildren(forms(one, host), el("p", { class: "foot" }, mark(one.tone, one.said), one.source && ` ${one.source}. Secrets are cut, lengths kept.`));
    if (aloud) host.say(`${one.title}: ${one.said}`);
  };
  const list = el("div", { class: "calls", role: "group", "aria-label": "Calls of this step" }, ...buttons);
  roving(list, "button");
  show(foremost(exchanges), false);
  return el("div", {}, list, place);
}

/** @param {StepModel} m @param {Host} host */
export function draw(m, host) {
  const opened = el("div", { class: "opened", hidden: true });
  /** @param {string} name */
  const open = async (name) => {
    const model = await asked(host, "open", { name });
    if (!model) return;
    opened.hidden = false;
    opened.replaceChildren(OPENED[model.kind](model, { ...host, ask: null }));
    host.say(`Opened ${name}: ${model.head.verdict}`);
  };
  const tiles = m.tiles.map((tile) => el("div", { class: "tile" }, el("b", {}, tile.label), digest(tile.digest, 4)));
  const places = m.code.map(([file, name]) => el("div", {}, code(`${file}`), ": ", code(name)));
  return el("div", { class: "card" }, head(m.head), strip(m.strip),
    el("div", { class: "part" }, tiles.length > 0 && el("div", { class: "tiles" }, ...tiles), facts(m.facts.map(([name, value]) => [name, code(value)])),
      ...m.notes.map((note) => el("p", {}, mark("warning", note))), m.basis && el("p", { class: "basis" }, chip("neutral", m.basis))),
    calls(m.exchanges, host),
    el("div", { class: "foot" }, fold("Where the code is", ...places),
      ...(host.ask ? m.openable.map(([name, what]) => el("button", { type: "button", onclick: () => open(name) }, `Open: ${what}`)) : [])),
    opened);
}
