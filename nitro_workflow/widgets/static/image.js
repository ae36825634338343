// @ts-check
// An enclave image: the file to scale, sections, the files inside on demand, another image beside it.
import { code, digest, el, facts, fold, head, mark, picture, section, size } from "./common.js";
import { chart } from "./charts.js";
import { copySmall, told } from "./controls.js";
import { difference } from "./differences.js";
import { fileTree } from "./filetree.js";
import { fromHex, hexPane } from "./hex.js";

/** @typedef {import("./common.js").Host} Host */
/** @typedef {{ id: string, name: string, offset: number, size: number, pcrs: string[], says: string, text: string, tint: number }} Section */

/** @type {Record<string, import("./common.js").Tone>} */
const TONES = { error: "bad", warning: "warning", note: "neutral" };

/** @param {string[]} pcrs */
function measured(pcrs) {
  return pcrs.length ? el("span", {}, ...pcrs.map((name) => el("b", { class: "pcrtag" }, name))) : el("span", { class: "note" }, "in no PCR");
}

/** @param {Section} one */
function selectedWords(one) {
  const then = one.pcrs.length ? `change one byte and ${one.pcrs.join(" and ")} change` : "in no PCR";
  return `Selected: ${one.name} · ${size(one.size)} · ${then}`;
}

/** Map, table and what is selected, as one. @param {any} m @param {Host} host */
function layout(m, host) {
  const words = el("p", { class: "note" });
  const content = el("div");
  const lines = m.sections.map((/** @type {Section} */ one) => el("tr", { "data-id": one.id, tabindex: "-1", role: "row" },
    el("th", { scope: "row" }, el("i", { class: `swatch f${one.tint}` }), one.name),
    el("td", { class: "num" }, one.offset.toLocaleString("en")), el("td", { class: "num" }, one.size.toLocaleString("en")),
    el("td", {}, measured(one.pcrs)), el("td", { class: "note" }, one.says)));
  const table = el("table", { class: "sections", role: "grid", "aria-label": "Sections" },
    el("thead", {}, el("tr", { role: "row" }, ...["section", "offset", "bytes", "measured in", ""].map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, ...lines));
  const select = (/** @type {string} */ id, focus = false) => {
    const one = m.sections.find((/** @type {Section} */ s) => s.id === id);
    if (!one) return;
    for (const line of lines) {
      const on = line.dataset.id === id;
      line.setAttribute("aria-selected", String(on));
      line.tabIndex = on ? 0 : -1;
      if (on && focus) line.focus();
    }
    for (const shape of map.querySelectorAll("[data-pick]")) shape.classList.toggle("on", shape.getAttribute("data-pick") === id);
    words.textContent = selectedWords(one);
    content.replaceChildren(...(one.text ? [el("pre", { tabindex: "0" }, one.text)] : []), ...(host.ask && one.size ? [bytesOf(one, host)] : []));
    host.say(words.textContent);
  };
  const map = chart(m.chart, (id) => select(id, true));
  table.addEventListener("click", (event) => {
    const id = /** @type {HTMLElement} */ (event.target).closest("tr")?.dataset.id;
    if (id) select(id, true);
  });
  table.addEventListener("keydown", (event) => {
    const at = lines.indexOf(/** @type {any} */ (document.activeElement));
    /** @type {Record<string, number>} */
    const moves = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: lines.length - 1 };
    if (at < 0 || !(event.key in moves)) return;
    event.preventDefault();
    event.stopPropagation();
    select(lines[Math.max(0, Math.min(lines.length - 1, moves[event.key]))].dataset.id, true);
  });
  select(m.sections[Math.min(2, m.sections.length - 1)].id);
  return [section("The file, to scale", map),
    el("div", { class: "grid" }, table), el("div", { class: "part quiet" }, words, content)];
}

/** A section's bytes, read as they come into sight. @param {Section} one @param {Host} host */
function bytesOf(one, host) {
  const place = el("div", { class: "note" });
  const details = fold("its bytes", place);
  details.addEventListener("toggle", () => {
    if (place.childNodes.length) return;
    const pane = hexPane({ size: one.size, label: `Bytes of ${one.name}`, async read(start, end) {
      const got = await told(host, "bytes", { start: one.offset + start, end: one.offset + end }, el("p"));
      return got && fromHex(got.data);
    }, onSelect: (range, at) => { pane.select(range, at); host.say(`byte ${at} of ${one.name}`); } });
    place.append(pane.node);
  });
  return details;
}

/** @param {any} c @param {Host} host */
function compared(c, host) {
  const pcrs = c.pcrs.map((/** @type {any} */ p) => el("tr", {}, el("th", { scope: "row" }, p.name), el("td", {}, !p.same ? mark("bad", "differs") : p.a ? mark("good", "equal") : mark("neutral", "neither is signed")),
    ...[p.a, p.same ? null : p.b].map((d) => el("td", {}, d ? el("span", { class: "value" }, digest(d, 4), copySmall(p.name, () => d.hex, host)) : p.same ? "" : el("span", { class: "note" }, "not signed")))));
  const files = c.files.map((/** @type {any} */ f) => {
    const name = el("span", {}, el("b", {}, { added: "+", removed: "−" }[/** @type {"added"} */ (f.change)] ?? "~"), " ", code(f.path), ` ${f.change}: ${f.what}`, el("span", { class: "note" }, ` ${f.place}`));
    if (!f.lines.length) return el("p", { class: "changed" }, name);
    const details = /** @type {HTMLDetailsElement} */ (fold(name, difference(f.lines)));
    details.open = true;
    return el("div", { class: "changed" }, details);
  });
  const sections = c.sections.map((/** @type {string[]} */ line) => el("tr", {}, ...line.map((text, at) => (at ? el("td", {}, text) : el("th", { scope: "row" }, text)))));
  host.say(c.verdict);
  return section(`${c.a} and ${c.b}, side by side`,
    el("table", { "aria-label": "PCRs of both" }, el("thead", {}, el("tr", {}, ...["", "", c.a, c.b].map((name) => el("th", { scope: "col" }, name)))), el("tbody", {}, ...pcrs)),
    sections.length > 0 && el("table", { "aria-label": "Changed sections" }, el("tbody", {}, ...sections)), ...files,
    c.left_out > 0 && el("p", { class: "note" }, `and ${c.left_out} more files`),
    c.other.length > 0 && el("ul", {}, ...c.other.map((/** @type {string} */ text) => el("li", {}, text))),
    el("p", { class: "title" }, "What that does to a policy"), el("ul", {}, ...c.meaning.map((/** @type {string} */ text) => el("li", {}, text))));
}

/** @param {Host} host */
function comparing(host) {
  const path = /** @type {HTMLInputElement} */ (el("input", { type: "text", placeholder: "other.eif", "aria-label": "Path of another image", spellcheck: "false" }));
  const place = el("p", { class: "note", role: "status" });
  return section("Compare with another image", el("form", { class: "line", onsubmit: async (/** @type {Event} */ event) => {
    event.preventDefault();
    place.textContent = "comparing …";
    const model = await told(host, "compare", { path: path.value }, place);
    if (model) host.redraw(model);
  } }, path, el("button", { type: "submit" }, "Compare")), place);
}

/** @param {any} m @param {Host} host @returns {Node} */
export function draw(m, host) {
  const findings = m.findings.map((/** @type {string[]} */ [severity, where, found, expected]) => el("tr", {},
    el("th", { scope: "row" }, mark(TONES[severity] ?? "neutral", severity)), el("td", {}, where), el("td", {}, found), el("td", {}, expected)));
  const pcrs = m.pcrs.map((/** @type {[string, any]} */ [name, d]) => [name, el("span", { class: "value" }, digest(d), copySmall(name, () => d.hex, host))]);
  return el("div", { class: "card", "aria-label": "Enclave image" }, head(m.head, m.picture && picture(m.picture.picture)),
    m.compared && compared(m.compared, host),
    ...(m.sections.length ? layout(m, host) : []),
    findings.length > 0 && section("What the validator says", el("table", { "aria-label": "What the validator says" }, el("tbody", {}, ...findings))),
    ...m.ramdisks.map((/** @type {any} */ one) => fileTree(one, host)),
    pcrs.length > 0 && section("What it measures to", facts(pcrs)),
    host.ask && comparing(host));
}
