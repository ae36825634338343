// @ts-check
// Controls that several inspectors share: a choice of a few, and a list that draws only what is seen.
import { asked, copyButton, el, roving } from "./common.js";

/**
 * One of a few, as joined buttons: arrows walk them, Enter or a click chooses.
 * @param {string} label @param {string[]} names @param {number} chosen @param {(at: number) => void} change
 */
export function choice(label, names, chosen, change) {
  const buttons = names.map((name, at) => el("button", { type: "button", "aria-pressed": String(at === chosen), onclick: () => {
    buttons.forEach((other, index) => other.setAttribute("aria-pressed", String(index === at)));
    change(at);
  } }, name));
  const group = el("div", { class: "seg", role: "group", "aria-label": label }, ...buttons);
  roving(group, "button");
  return group;
}

/** A small button that copies, named for those who do not see it. @param {string} name @param {() => string} text @param {import("./common.js").Host} host */
export function copySmall(name, text, host) {
  const button = copyButton(name, text, host);
  button.lastChild?.remove();
  button.setAttribute("aria-label", `Copy ${name}`);
  button.setAttribute("title", `Copy ${name}`);
  button.className = "small";
  return button;
}

/**
 * Ask Python; a refusal is shown in `place` and comes back as null.
 * @param {import("./common.js").Host} host @param {string} question @param {object} values @param {HTMLElement} place @returns {Promise<any>}
 */
export async function told(host, question, values, place) {
  const answer = await asked({ ...host, say: (text) => { place.textContent = text; } }, question, values);
  if (answer !== null) place.textContent = "";
  return answer;
}
