// @ts-check
// The opened result: bars of the measure that is chosen, the suppressed hatched, and a table with every number.
import { chip, el, head, roving, rows, section, svg } from "./common.js";

/** @typedef {import("./common.js").Host} Host */
/** @typedef {{ name: string, bars: { group: string, text: string, share: number }[] }} Measure */
/** @typedef {{ head: import("./common.js").Head, groups: string[], measures: Measure[], suppressed: number, unsaid: string, note: string, left_out: number }} ResultModel */

const [ROW, LEFT, WIDE] = [26, 144, 528];
let charts = 0;

/** @param {ResultModel} m @param {Measure} measure */
function bars(m, measure) {
  const hatch = `nw-hatch-${++charts}`;
  const height = (measure.bars.length + (m.suppressed ? 1 : 0)) * ROW;
  const root = svg("svg", { class: "bars", viewBox: `0 0 ${LEFT + WIDE + 140} ${height}`, role: "img", "aria-label": `Bars of ${measure.name}; the table below has the numbers` },
    svg("defs", {}, svg("pattern", { id: hatch, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      svg("rect", { width: 6, height: 6, class: "ground" }), svg("rect", { width: 2, height: 6, class: "hatch" }))));
  measure.bars.forEach((bar, at) => {
    const width = bar.share * WIDE;
    root.append(svg("text", { x: LEFT - 8, y: at * ROW + 17, class: "who" }, bar.group.slice(0, 16)),
      svg("rect", { x: LEFT, y: at * ROW + 4, width: Math.max(width, 1), height: 17, rx: 3, class: "bar" }, svg("title", {}, `${bar.group}: ${bar.text}`)),
      svg("text", { x: LEFT + width + 8, y: at * ROW + 17, class: "val" }, bar.text));
  });
  if (m.suppressed) {
    const y = measure.bars.length * ROW;
    root.append(svg("text", { x: LEFT - 8, y: y + 17, class: "who" }, "suppressed"),
      svg("rect", { x: LEFT, y: y + 4, width: 60, height: 17, rx: 3, class: "gone", style: `fill: url(#${hatch})` }),
      svg("text", { x: LEFT + 68, y: y + 17, class: "val" }, `not told: ${m.unsaid}`));
  }
  return root;
}

/** @param {ResultModel} m @param {Host} host */
export function draw(m, host) {
  const place = el("div");
  const buttons = m.measures.map((measure, at) => el("button", { type: "button", onclick: () => show(at) }, measure.name));
  /** @param {number} at @param {boolean} [aloud] */
  const show = (at, aloud = true) => {
    buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(index === at)));
    if (m.measures[at]) place.replaceChildren(bars(m, m.measures[at]));
    if (aloud) host.say(`Bars of ${m.measures[at].name}`);
  };
  const list = el("div", { class: "measures", role: "group", "aria-label": "Measure" }, ...buttons);
  roving(list, "button");
  show(0, false);
  /** @type {import("./common.js").Kid[][]} */
  const lines = m.groups.map((group, at) => [group, ...m.measures.map((measure) => measure.bars[at].text)]);
  if (m.suppressed) lines.push([chip("neutral", `suppressed: ${m.unsaid}`), ...m.measures.map(() => "not told")]);
  return el("div", { class: "card" }, head(m.head), m.measures.length > 0 && section("The groups", list, place),
    section("The same in numbers", el("div", { class: "numbers", tabindex: 0, role: "region", "aria-label": "Numbers" }, rows(["group", ...m.measures.map((measure) => measure.name)], lines, "Groups")), m.note && el("p", { class: "note" }, m.note),
      m.left_out > 0 && el("p", { class: "note" }, `${m.left_out} more groups are not drawn.`)));
}
