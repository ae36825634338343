// @ts-check
// A decision, explained and asked again. Python decides; this page edits the question and shows what flipped.
import { asked, chip, code, copyButton, el, facts, fold, head, icon, mark, picture, rows, section } from "./common.js";
import { choice } from "./controls.js";
import { difference } from "./differences.js";
import { statements } from "./statements.js";

/** @typedef {import("./common.js").Host} Host */
/** @typedef {{ key: string, label: string, hint: string, value: string, group: string, options: string[], picture: any, changed: boolean, problem: string }} Field */
/** @typedef {Record<string, string>} Edits */

/** What to send: the edits now, and those of the moment before the field that changes now was touched. */
export class Edited {
  constructor() {
    /** @type {Edits} */
    this.now = {};
    /** @type {Edits} */
    this.before = {};
    /** @type {string} */
    this.field = "";
  }

  /** @param {string} key @param {string} value */
  set(key, value) {
    if (key !== this.field) this.before = { ...this.now };
    this.field = key;
    this.now = { ...this.now, [key]: value };
  }

  /** @param {Edits} values */
  replace(values) {
    this.before = { ...this.now };
    this.field = "";
    this.now = { ...values };
  }
}

/** The request as a form. @param {any} m @param {(key: string, value: string) => void} edit @param {() => void} reset */
function requestForm(m, edit, reset) {
  /** @type {Map<string, { input: any, slot: HTMLElement, problem: HTMLElement, row: HTMLElement }>} */
  const parts = new Map();
  const rowOf = (/** @type {Field} */ f) => {
    const id = `nw-${Math.random().toString(36).slice(2)}`;
    const slot = el("span", { class: "slot" });
    const problem = el("span", { class: "problem", id: `${id}-p` });
    const listed = f.options.length > 0 && f.group !== "document";
    const input = f.group === "document" ? null
      : /** @type {HTMLInputElement} */ (el("input", { id, type: "text", spellcheck: "false", autocomplete: "off", list: listed ? `${id}-l` : null, "aria-describedby": `${id}-p` }));
    if (input) {
      input.value = f.value;
      input.addEventListener("input", () => edit(f.key, input.value));
      input.addEventListener("keydown", (event) => event.stopPropagation());
    }
    const list = listed && el("datalist", { id: `${id}-l` }, ...f.options.map((value) => el("option", { value })));
    const seg = !input && choice(f.label, f.options, f.options.indexOf(f.value), (at) => edit(f.key, f.options[at]));
    const row = el("div", { class: `field ${f.group}` },
      el(input ? "label" : "span", { class: "name", for: input ? id : null }, el("span", {}, f.label), el("span", { class: "hint" }, f.hint)),
      el("div", { class: "entry" }, f.group === "pcr" && slot, input, seg, list), problem);
    parts.set(f.key, { input: input ?? seg, slot, problem, row });
    return row;
  };
  const asked = m.fields.filter((/** @type {Field} */ f) => f.value || ["who", "action", "document", "context", "pcr"].includes(f.group));
  const more = m.fields.filter((/** @type {Field} */ f) => !asked.includes(f));
  const form = el("form", { class: "request", "aria-label": "The request", onsubmit: (/** @type {Event} */ e) => e.preventDefault() },
    el("div", { class: "top" }, el("h4", { class: "title" }, "The request"), el("button", { type: "button", onclick: reset }, icon("reset"), "Reset")),
    ...asked.map(rowOf), more.length > 0 && fold("network and other keys", ...more.map(rowOf)),
    el("p", { class: "note" }, "Hypothetical from the first change on. Decided again by Python as you type."));
  /** @param {Field[]} fields @param {boolean} values  whether the inputs take the fields' values too */
  const update = (fields, values) => {
    for (const f of fields) {
      const part = parts.get(f.key);
      if (!part) continue;
      part.row.classList.toggle("changed", f.changed);
      part.slot.replaceChildren(f.value.trim() && !f.problem ? picture(f.picture, 28) : "");
      part.problem.replaceChildren(...(f.problem ? [mark("warning", f.problem)] : []));
      if (part.input instanceof HTMLInputElement) {
        part.input.setAttribute("aria-invalid", String(Boolean(f.problem)));
        if (values) part.input.value = f.value;
      } else if (values) {
        part.input?.querySelectorAll("button").forEach((/** @type {HTMLElement} */ b) => b.setAttribute("aria-pressed", String(b.textContent === f.value)));
      }
    }
  };
  update(m.fields, false);
  return { form, update };
}

/** The three answers; the one whose request stands in the form is marked. @param {any} m @param {((values: Edits) => void) | null} show @param {Edits} [now] */
function tiles(m, show, now = {}) {
  const grid = m.answers.map((/** @type {any} */ one) => el("div", { class: asks(one.example, now) ? "tile shown" : "tile", "aria-current": asks(one.example, now) && "true" },
    el("p", { class: "of-whom" }, one.title),
    el("p", { class: "verdict2" }, mark(one.tone, one.verdict)),
    el("p", { class: "note" }, one.says),
    asks(one.example, now) && el("p", { class: "is-shown" }, "▸ its request is shown"),
    show && one.example.length > 0 && el("button", { type: "button", class: "link", onclick: () => show(Object.fromEntries(one.example)) },
      one.witness ? "Witness: the request" : "Show such a request")));
  return el("div", { class: "part" }, el("div", { class: "tiles", role: "group", "aria-label": "The three answers of this policy" }, ...grid),
    ...m.assumes.map((/** @type {string} */ text) => el("p", { class: "note" }, `provided that ${text}`)));
}

/** Whether the form's edits are exactly a tile's request. @param {[string, string][]} example @param {Edits} now */
export function asks(example, now) {
  return example.length > 0 && example.length === Object.keys(now).length && example.every(([key, value]) => now[key] === value);
}

/** @param {any} m */
function whoCan(m) {
  const lines = m.ways.map((/** @type {any} */ w) => [
    el("span", {}, mark(w.tone, w.what), el("div", { class: "note" }, w.action)),
    el("span", {}, ...w.who.map((/** @type {string} */ one) => el("div", {}, code(one)))),
    el("span", {}, w.how, el("div", { class: "note" }, w.source))]);
  const findings = m.findings.map((/** @type {any} */ f) => [chip("warning", f.severity), `${f.place}: ${f.title}`, f.fix]);
  return section("Who can ever get the plaintext", el("div", { class: "ways" }, rows(["what", "who", "how, and by which statement"], lines, "Who can")),
    findings.length > 0 && rows(["", "finding", "mend it"], findings, "Findings"));
}

/** @param {any} m @param {Host} host @returns {Node} */
export function draw(m, host) {
  if (!m.fields.length || !host.ask) return still(m, host);
  const edited = new Edited();
  const places = { head: el("div"), tiles: el("div"), statements: el("div", { class: "statements" }), ways: el("div"), changes: el("div") };
  let waiting = false;
  let again = false;
  let filling = false; // whether the form takes the values of the next answer, whoever asked first
  const decide = async (values = false) => {
    filling ||= values;
    if (waiting) { again = true; return; }
    waiting = true;
    do {
      again = false;
      const next = await asked(host, "decide", { edits: edited.now, before: edited.before });
      if (next && !again) { update(next, filling); filling = false; }
    } while (again);
    waiting = false;
  };
  const { form, update: updateForm } = requestForm(m, (key, value) => { edited.set(key, value); decide(); }, () => {
    edited.replace({});
    edited.before = {};
    text.value = m.policy;
    decide(true);
  });
  const text = /** @type {HTMLTextAreaElement} */ (el("textarea", { rows: 14, spellcheck: "false", "aria-label": "The key policy, JSON" }));
  text.value = m.policy;
  text.addEventListener("input", () => { edited.set("policy", text.value); decide(); });
  text.addEventListener("keydown", (event) => event.stopPropagation());
  const show = (/** @type {Edits} */ values) => { edited.replace(values); decide(true); };
  const update = (/** @type {any} */ next, /** @type {boolean} */ values) => {
    places.head.replaceChildren(top(next));
    places.tiles.replaceChildren(tiles(next, show, edited.now));
    places.statements.replaceChildren(next.statements.length ? statements(next.statements, next.source) : el("p", { class: "part note" }, "Nothing was decided with this text. The three answers are about the policy alone."));
    places.ways.replaceChildren(whoCan(next));
    places.changes.replaceChildren(...(next.difference.length ? [difference(next.difference)] : []));
    updateForm(next.fields, values);
    host.say([next.head.verdict, ...next.flipped].join(". "));
  };
  update(m, false);
  return el("div", { class: "card", "aria-label": "A decision, explained" }, places.head, places.tiles,
    el("div", { class: "two" }, form, places.statements), places.ways,
    m.policy && section("The key policy", fold("edit it, and decide again", text, places.changes, copyButton("the policy", () => text.value, host))));
}

/** Head, AWS's words, what else would stand in the way. @param {any} m */
function top(m) {
  return el("div", {}, head(m.head),
    m.flipped.length > 0 && el("p", { class: "part flips" }, el("b", { class: "flip" }, "flipped"), ` ${m.flipped.join("; ")}`),
    m.said && el("p", { class: "part quiet said" }, `${m.said_by} `, el("q", {}, code(m.said))),
    m.also.length > 0 && el("ul", { class: "part also" }, ...m.also.map((/** @type {string} */ text) => el("li", {}, text))));
}

/** A decision that nobody asks again. @param {any} m @param {Host} host */
function still(m, host) {
  const asked = m.fields.filter((/** @type {Field} */ f) => f.value).map((/** @type {Field} */ f) => [f.label, code(f.value)]);
  const request = asked.length ? asked : m.request.map((/** @type {[string, string]} */ [name, value]) => [name, code(value)]);
  return el("div", { class: "card", "aria-label": "A decision, explained" }, top(m),
    m.answers.length > 0 && tiles(m, null), request.length > 0 && section("The request", facts(request)),
    m.statements.length > 0 && el("div", { class: "statements" }, statements(m.statements, m.source)), m.ways.length > 0 && whoCan(m),
    m.policy && section("The key policy", fold("as JSON", el("pre", { tabindex: "0" }, m.policy), copyButton("the policy", () => m.policy, host))));
}
