// @ts-check
// The statements of a policy as a tree: what stands in the way with both values, what holds as ticks.
import { digest, el, mark, MARKS, rows } from "./common.js";

/** @typedef {{ id: string, name: string, about: string, operator: string, tone: import("./common.js").Tone, label: string, expected: string, found: string,
 *   expected_digest: any, found_digest: any, more: number, note: string, matched: boolean, flipped: boolean }} Check */
/** @typedef {{ id: string, effect: string, name: string, place: string, tone: import("./common.js").Tone, says: string, checks: Check[], open: boolean, applies: boolean, flipped: boolean }} Statement */

const GROUPS = 4;
/** @type {Record<string, string>} */
const STATES = { bad: "stands in the way", good: "holds", neutral: "matched", warning: "" };

const flip = (/** @type {boolean} */ flipped) => flipped && el("b", { class: "flip" }, "flipped");

/** @param {string} text @param {any} d */
function value(text, d) {
  return d ? digest(d, GROUPS) : el("code", {}, text);
}

/** @param {Check} c */
function check(c) {
  return el("li", { role: "treeitem", tabindex: "-1", "aria-level": 2, class: `check ${c.tone}`, "data-name": c.name },
    el("p", {}, el("b", { class: `sign t-${c.tone}` }, MARKS[c.tone]), " ", el("b", {}, c.name), " ", el("span", { class: "note" }, c.about), " ", flip(c.flipped)),
    el("p", { class: "note" }, [c.operator, STATES[c.tone], c.note].filter(Boolean).join(" · ")),
    el("dl", { class: "pair" },
      el("dt", {}, c.label), el("dd", {}, value(c.expected, c.expected_digest), c.more > 0 && el("span", { class: "note" }, ` nearest of ${c.more + 1}`)),
      el("dt", {}, "found"), el("dd", {}, value(c.found, c.found_digest))));
}

/** @param {Check[]} held @param {Statement} s */
function ticks(held, s) {
  const lines = held.map((c) => [c.name, c.operator, `${c.label} ${c.expected}`, c.found]);
  const table = el("div", { hidden: true }, rows(["", "operator", "policy", "request"], lines, `What holds of ${s.name}`));
  const item = el("li", { role: "treeitem", tabindex: "-1", "aria-level": 2, "aria-expanded": "false", class: "held", "data-name": "holds" },
    el("p", { class: "ticks" }, ...held.flatMap((c) => [mark(c.tone, c.name), flip(c.flipped), " "])), table);
  /** @type {any} */ (item).turn = (/** @type {boolean} */ open) => { item.setAttribute("aria-expanded", String(open)); table.hidden = !open; };
  return item;
}

/** @param {Statement} s */
function statement(s) {
  const told = s.checks.filter((c) => c.tone === "bad");
  const held = s.checks.filter((c) => c.tone !== "bad");
  const group = el("ul", { role: "group" }, ...told.map(check), held.length > 0 && ticks(held, s));
  const item = el("li", { role: "treeitem", tabindex: "-1", "aria-level": 1, class: `statement ${s.tone}`, "data-name": s.name, "aria-label": `${s.effect} ${s.name}, ${s.says}` },
    el("p", { class: "named" }, el("b", { class: `effect ${s.effect.toLowerCase()}` }, s.effect), " ", el("b", {}, s.name), " ", flip(s.flipped), el("span", { class: "place" }, s.place)),
    el("p", { class: "note" }, s.says), group);
  /** @type {any} */ (item).turn = (/** @type {boolean} */ open) => { item.setAttribute("aria-expanded", String(open)); group.hidden = !open; };
  /** @type {any} */ (item).turn(s.open);
  return item;
}

/** Which item an arrow goes to. @param {string} key @param {HTMLElement[]} seen @param {number} at @param {HTMLElement} item */
function target(key, seen, at, item) {
  const open = item.getAttribute("aria-expanded");
  const parent = /** @type {HTMLElement | null | undefined} */ (item.parentElement?.closest('[role="treeitem"]'));
  if (key === "ArrowDown") return seen[at + 1];
  if (key === "ArrowUp") return seen[at - 1];
  if (key === "Home") return seen[0];
  if (key === "End") return seen[seen.length - 1];
  if (key === "ArrowRight") return open === "false" ? (/** @type {any} */ (item).turn(true), item) : seen[at + 1];
  if (key === "ArrowLeft") return open === "true" ? (/** @type {any} */ (item).turn(false), item) : parent;
  if (key === "Enter" || key === " ") return (open !== null && /** @type {any} */ (item).turn(open !== "true"), item);
  if (key.length === 1) {
    const from = [...seen.slice(at + 1), ...seen.slice(0, at + 1)];
    return from.find((one) => one.dataset.name?.toLowerCase().startsWith(key.toLowerCase()));
  }
  return null;
}

/** @param {Statement[]} list @param {string} source @returns {Node} */
export function statements(list, source) {
  const tree = el("ul", { role: "tree", "aria-label": "Statements, what decided first", class: "rules" }, ...list.map(statement));
  const items = () => /** @type {HTMLElement[]} */ ([...tree.querySelectorAll('[role="treeitem"]')]);
  const seen = () => items().filter((item) => !item.parentElement?.closest('[aria-expanded="false"]'));
  const first = items()[0];
  if (first) first.tabIndex = 0;
  tree.addEventListener("focusin", (event) => {
    const on = /** @type {HTMLElement} */ (event.target).closest('[role="treeitem"]');
    for (const item of items()) item.tabIndex = item === on ? 0 : -1;
  });
  tree.addEventListener("click", (event) => {
    const item = /** @type {any} */ (/** @type {HTMLElement} */ (event.target).closest('[role="treeitem"]'));
    if (!item || window.getSelection()?.toString()) return;
    item.focus();
    if (item.turn && /** @type {HTMLElement} */ (event.target).closest(".named, .ticks")) item.turn(item.getAttribute("aria-expanded") !== "true");
  });
  tree.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const list = seen();
    const at = list.indexOf(/** @type {any} */ (document.activeElement));
    if (at < 0) return;
    const next = target(event.key, list, at, list[at]);
    if (next === null) return;
    event.preventDefault();
    event.stopPropagation();
    next?.focus();
  });
  return el("div", {}, tree, source && el("p", { class: "part note" }, source));
}
