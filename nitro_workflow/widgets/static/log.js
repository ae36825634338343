// @ts-check
// The cloud's records as a table to filter; a record opens in the policy inspector below.
import { code, el, head, mark, picture } from "./common.js";
import { choice, told } from "./controls.js";
import { draw as drawPolicy } from "./policy.js";

/** @typedef {import("./common.js").Host} Host */
/** @typedef {{ number: number, at: string, action: string, who: string, resource: string, brief: string, outcome: string, tone: import("./common.js").Tone, why: string, said: string, document: any }} LogRecord */

/** Whether a record has the words, whatever their case, and the outcome. @param {LogRecord} one @param {string} words @param {string} outcome */
export function fits(one, words, outcome) {
  const text = `${one.at} ${one.action} ${one.who} ${one.resource} ${one.outcome} ${one.why} ${one.said}`.toLowerCase();
  if (outcome === "refused" && one.tone !== "bad") return false;
  if (outcome === "done" && one.tone === "bad") return false;
  return words.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

const MOST = 200; // rows that stand in the page at once

/** @param {LogRecord} one */
function line(one) {
  return el("tr", { "data-number": one.number, tabindex: "-1" },
    el("th", { scope: "row" }, one.at), el("td", {}, mark(one.tone, one.outcome)),
    el("td", {}, one.action, " ", one.document && picture(one.document.picture, 18)), el("td", {}, code(one.who)), el("td", { title: one.resource }, code(one.brief)),
    el("td", {}, one.why || el("span", { class: "note" }, "not told")));
}

/** @param {any} m @param {Host} host @returns {Node} */
export function draw(m, host) {
  const words = /** @type {HTMLInputElement} */ (el("input", { type: "search", placeholder: "filter", "aria-label": "Filter the records", spellcheck: "false" }));
  const count = el("span", { class: "note" });
  const body = el("tbody");
  const table = el("table", { "aria-label": "Records" }, el("thead", {}, el("tr", {}, ...["when", "outcome", "what", "who", "on", "why"].map((name) => el("th", { scope: "col" }, name)))), body);
  const place = el("p", { class: "note", role: "status" });
  const opened = el("div", { class: "opened-record" });
  let outcome = "all";
  const filter = () => {
    const found = m.records.filter((/** @type {LogRecord} */ one) => fits(one, words.value, outcome));
    body.replaceChildren(...found.slice(0, MOST).map(line));
    const first = /** @type {HTMLElement | null} */ (body.firstElementChild);
    if (first) first.tabIndex = 0;
    count.textContent = `${found.length} of ${m.records.length}${found.length > MOST ? `, the newest ${MOST} shown` : ""}`;
    host.say(count.textContent);
  };
  const open = async (/** @type {number} */ number) => {
    for (const row of body.children) row.toggleAttribute("data-on", row.getAttribute("data-number") === String(number));
    const model = await told(host, "open", { record: number }, place);
    if (!model) return;
    const ask = host.ask && ((/** @type {string} */ question, /** @type {object} */ values = {}) => /** @type {NonNullable<Host["ask"]>} */ (host.ask)(question, { ...values, record: number }));
    opened.replaceChildren(drawPolicy(model, { ...host, ask }));
    host.say(model.head.verdict);
  };
  words.addEventListener("input", filter);
  words.addEventListener("keydown", (event) => event.stopPropagation());
  const rowOf = (/** @type {Event} */ event) => /** @type {HTMLElement | null} */ (/** @type {HTMLElement} */ (event.target).closest("tr[data-number]"));
  body.addEventListener("click", (event) => { const row = rowOf(event); if (row && host.ask) { row.focus(); open(Number(row.dataset.number)); } });
  body.addEventListener("focusin", (event) => { const on = rowOf(event); for (const row of /** @type {any} */ (body.children)) row.tabIndex = row === on ? 0 : -1; });
  body.addEventListener("keydown", (event) => {
    const rows = /** @type {HTMLElement[]} */ ([...body.children]);
    const at = rows.indexOf(/** @type {any} */ (document.activeElement));
    if (at < 0) return;
    /** @type {Record<string, number>} */
    const moves = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 };
    if (event.key === "Enter" && host.ask) open(Number(rows[at].dataset.number));
    else if (event.key in moves) rows[Math.max(0, Math.min(rows.length - 1, moves[event.key]))].focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  filter();
  return el("div", { class: "card", "aria-label": "Decision log" }, head(m.head),
    el("div", { class: "part filter" }, words, choice("Outcome", ["all", "refused", "done"], 0, (at) => { outcome = ["all", "refused", "done"][at]; filter(); }), count),
    el("div", { class: "part log", role: "region", "aria-label": "Records", tabindex: "0" }, table), m.left_out > 0 && el("p", { class: "part note" }, `and ${m.left_out} older records`),
    host.ask && el("div", { class: "part" }, el("p", { class: "note" }, "Enter or a click on a record opens it here."), place, opened));
}
