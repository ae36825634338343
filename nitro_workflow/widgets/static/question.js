// @ts-check
// A question before the cell that decides it: what one answers is kept by the kernel, which says something to it.
import { asked, el } from "./common.js";

/** @typedef {{ head: import("./common.js").Head, options: string[], answer: string, said: string, closed: boolean }} QuestionModel */

/** @param {QuestionModel} m @param {import("./common.js").Host} host */
export function draw(m, host) {
  // Each view runs a module of its own, so a count would give all questions of a page one group.
  const name = `nw-question-${Math.random().toString(36).slice(2)}`;
  const ask = m.head.verdict;
  const said = el("p", { class: "outcome" }, m.said);
  let last = m.answer; // Enter in a line is told twice: by the key, and as a change
  /** What is kept stands in the model too: a page may draw it again. @param {string} answer */
  const keep = async (answer) => {
    if (answer === last) return;
    last = answer;
    const told = await asked(host, "keep", { answer });
    if (told === null) { last = m.answer; return; }
    Object.assign(m, { answer, said: told });
    said.textContent = told;
    host.say(told);
  };
  /** @param {string} option */
  const radio = (option) => el("label", { class: "option" },
    el("input", { type: "radio", name, checked: option === m.answer, disabled: m.closed, onchange: () => keep(option) }), option);
  /** @param {any} e */
  const written = (e) => keep(e.target.value.trim());
  /** JupyterLab's own keys must not act on what is written here. @param {any} e */
  const typed = (e) => {
    e.stopPropagation();
    if (e.key === "Enter") written(e);
  };
  const answers = m.options.length
    ? el("div", { role: "radiogroup", "aria-label": ask, onkeydown: /** Nor may an arrow leave the cell. @param {any} e */ (e) => e.key.startsWith("Arrow") && e.stopPropagation() }, ...m.options.map(radio))
    : el("input", { class: "line", "aria-label": ask, value: m.answer, disabled: m.closed, spellcheck: "false", onkeydown: typed, onchange: written });
  return el("div", { class: "card" }, el("div", { class: "part" }, el("div", { class: "what" }, m.head.what), el("h3", { class: "ask" }, ask), answers, said));
}
