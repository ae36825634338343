// @ts-check
// PCRs side by side. What agrees is one cell over its columns; what differs shows its first difference.
import { chip, copyButton, digest, el, fold, head, MARKS, rows, section, size } from "./common.js";
import { chart } from "./charts.js";
import { choice, copySmall, told } from "./controls.js";

/** @typedef {import("./common.js").Host} Host */
/** @typedef {{ columns: string[], digest: import("./common.js").Digest | null, said: string, same: number, apart: string, odd: boolean }} Cell */
/** @typedef {{ name: string, feeds: string, state: string, tone: import("./common.js").Tone, cells: Cell[] }} Row */
/** @typedef {{ label: string, head: import("./common.js").Head, rows: Row[] }} Case */

const WIDE = 2;
const CUT = 4;

/** How many groups of a digest a cell shows; 0 is all. @param {Cell} cell @param {number} columns */
export function groupsShown(cell, columns) {
  return cell.columns.length >= WIDE || columns <= WIDE ? 0 : CUT;
}

/** @param {Cell} cell @param {Row} row @param {number} columns @param {Host} host */
function drawCell(cell, row, columns, host) {
  const kind = cell.odd ? "odd" : cell.columns.length > 1 ? "same" : "alone";
  const d = cell.digest;
  return el("td", { class: kind, colspan: cell.columns.length > 1 ? cell.columns.length : null }, el("div", { class: "value" },
    d && digest(d, groupsShown(cell, columns)),
    cell.same > 1 && (cell.columns.length > 1 || cell.apart) && chip("good", `identical ×${cell.same}`),
    cell.apart && el("span", { class: "note" }, `to ${cell.apart}`),
    cell.said && el("span", { class: "said" }, cell.said),
    d && copySmall(`${row.name} of ${cell.columns.join(", ")}`, () => d.hex, host)));
}

/** @param {Row} row @param {number} columns @param {Host} host */
function drawRow(row, columns, host) {
  return el("tr", { class: row.state.replace(" ", "-") },
    el("th", { scope: "row" },
      el("b", { class: `sign t-${row.tone}` }, MARKS[row.tone]), " ", el("b", {}, row.name), " ",
      el("span", { class: `state t-${row.tone}` }, row.state),
      el("div", { class: "note" }, row.feeds)),
    ...row.cells.map((cell) => drawCell(cell, row, columns, host)));
}

/** @param {any} m @param {Case} shown @param {Host} host */
function table(m, shown, host) {
  const columns = m.columns.map((/** @type {[string, string]} */ [name, how]) => el("th", { scope: "col" }, el("b", {}, name), how && `, ${how}`));
  return el("table", { class: "pcrs", "aria-label": `PCRs, ${shown.label.toLowerCase()}` },
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "register"), ...columns)),
    el("tbody", {}, ...shown.rows.map((row) => drawRow(row, m.columns.length, host))));
}

/** A field that has Python measure a file and show it as one more column. @param {Host} host */
function measuring(host) {
  const path = /** @type {HTMLInputElement} */ (el("input", { type: "text", placeholder: "image.eif", "aria-label": "Path of an EIF to measure", spellcheck: "false" }));
  const place = el("p", { class: "note", role: "status" });
  const form = el("form", { class: "line", onsubmit: async (/** @type {Event} */ event) => {
    event.preventDefault();
    place.textContent = "measuring …";
    const model = await told(host, "measure", { path: path.value }, place);
    if (model) { host.redraw(model); host.say(model.head.verdict); }
  } }, path, el("button", { type: "submit" }, "Measure this EIF"));
  return el("div", { class: "measure" }, form, place);
}

/** @param {any} m @param {Host} host @returns {Node} */
export function draw(m, host) {
  const places = { head: el("div"), table: el("div") };
  const show = (/** @type {number} */ at) => {
    const shown = m.cases[at];
    places.head.replaceChildren(head(shown.head));
    places.table.replaceChildren(table(m, shown, host));
    return shown;
  };
  const tabs = m.cases.length > 1
    ? el("div", { class: "part choices" }, choice("What is compared", m.cases.map((/** @type {Case} */ c) => c.label), 0, (at) => host.say(show(at).head.verdict)))
    : null;
  show(0);
  const parts = m.parts.map((/** @type {any} */ p) => [p.name, p.size < 0 ? "not known here" : size(p.size), p.inside ? "in the image" : "outside the image", p.pcrs.join(", ")]);
  const recipe = m.recipe.join("\n");
  return el("div", { class: "card", "aria-label": "PCRs" }, places.head, tabs, places.table,
    el("div", { class: "part quiet" }, el("p", { class: "title" }, "What feeds each PCR"), chart(m.chart),
      fold("as a table", rows(["what", "bytes", "where", "measured into"], parts, "What feeds each PCR"))),
    recipe && section("Compute PCR0 yourself", el("p", { class: "note" }, m.recipe_note), el("pre", { tabindex: "0" }, recipe), copyButton("the three lines", () => recipe, host)),
    host.ask && section("Measure an image and compare", measuring(host)),
    el("p", { class: "part note" }, m.note));
}
