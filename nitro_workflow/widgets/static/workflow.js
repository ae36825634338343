// @ts-check
// The 17 steps as a map: choose one, see what it rests on; run, catch up, start over from here, with the kernel's leave.
import { asked, code, el, facts, head, mark } from "./common.js";

/** @typedef {import("./common.js").Host} Host */
/** @typedef {"done" | "stale" | "to do" | "running" | "failed"} State */
/**
 * @typedef {object} MapStep
 * @property {string} number @property {string} title @property {string} party @property {string[]} parties @property {string} part
 * @property {State} state @property {string} said @property {boolean} here @property {string} took @property {string} at @property {string[]} rests_on
 * @property {string[]} needed_by @property {[string, string][]} facts @property {string} error
 */
/** @typedef {{ head: import("./common.js").Head, steps: MapStep[], parties: string[], doing: string, asks: string }} WorkflowModel */

const SIGNS = { done: "✓", stale: "!", "to do": "·", running: "▶", failed: "✗" };
/** @type {Record<State, import("./common.js").Tone>} */
const TONES = { done: "good", stale: "warning", "to do": "neutral", running: "neutral", failed: "bad" };

/** All that a step rests on, near and far. @param {MapStep[]} steps @param {string} number @returns {Set<string>} */
export function foundations(steps, number) {
  const found = new Set();
  const waiting = [number];
  while (waiting.length) {
    for (const need of steps.find((step) => step.number === waiting[0])?.rests_on ?? []) {
      if (!found.has(need)) { found.add(need); waiting.push(need); }
    }
    waiting.shift();
  }
  return found;
}

/** The step that is looked at first: what runs, what failed, else what comes next. @param {MapStep[]} steps */
export function foremost(steps) {
  for (const state of ["running", "failed"]) {
    const at = steps.findIndex((step) => step.state === state);
    if (at >= 0) return at;
  }
  const next = steps.findIndex((step) => step.state !== "done");
  return next < 0 ? steps.length - 1 : next;
}

/** What was chosen, kept over the redrawings that progress causes. @type {WeakMap<Host["ask"] & object, number>} */
const kept = new WeakMap();

/** @param {WorkflowModel} m @param {Host} host */
export function draw(m, host) {
  const running = m.steps.some((step) => step.state === "running");
  let at = (!running && host.ask && kept.get(host.ask)) || foremost(m.steps);
  /** @type {HTMLButtonElement[][]} */
  const dots = m.steps.map(() => []);
  const detail = el("div", { class: "part" });

  /** @param {number} index @param {boolean} [focus] */
  function choose(index, focus = false) {
    at = Math.max(0, Math.min(m.steps.length - 1, index));
    if (host.ask) kept.set(host.ask, at);
    const [under, above] = [foundations(m.steps, m.steps[at].number), new Set(m.steps[at].needed_by)];
    dots.forEach((list, number) => list.forEach((dot, row) => {
      dot.setAttribute("aria-pressed", String(number === at));
      dot.tabIndex = number === at && !row ? 0 : -1;
      dot.classList.toggle("rested", under.has(m.steps[number].number));
      dot.classList.toggle("resting", above.has(m.steps[number].number));
    }));
    if (focus) dots[at][0]?.focus();
    detail.replaceChildren(...details(m.steps[at]));
    host.say(`${m.steps[at].number}, ${m.steps[at].title}: ${m.steps[at].said}`);
  }

  /** @param {string} question @param {MapStep} step @param {object} [more] */
  async function act(question, step, more = {}) {
    host.say(`${step.number}: begun`);
    const answer = await asked(host, question, { step: step.number, ...more });
    if (answer) host.redraw(answer);
  }

  /** @param {MapStep} step */
  function details(step) {
    const acts = host.ask && !running ? el("div", { class: "acts" },
      el("button", { type: "button", onclick: () => act("run", step) }, `Run ${step.number}`),
      el("button", { type: "button", onclick: () => act("catch_up", step) }, `Catch up to ${step.number}`),
      el("button", { type: "button", class: "danger", onclick: () => act("reset", step) }, `Start over from ${step.number} …`)) : null;
    return [el("h4", { class: "title" }, `${step.number} · ${step.title}`), facts([
      ["party", step.party], ["state", mark(TONES[step.state], step.said + (step.took ? `, ${step.took}` : ""))], ["at", step.at], ["why", step.error],
      ["rests on", step.rests_on.join(", ") || "nothing"], ["needed by", step.needed_by.join(", ") || "nothing"], ...step.facts.map(([name, value]) => /** @type {[string, Node]} */ ([name, code(value)]))]), ...(acts ? [acts] : [])];
  }

  const table = el("table", { "aria-label": "Who acts in which step" },
    el("thead", {}, el("tr", {}, el("th"), ...m.steps.map((step) => el("th", { scope: "col" }, step.number)))),
    el("tbody", {}, ...m.parties.map((party) => el("tr", {}, el("th", { scope: "row" }, party), ...m.steps.map((step, index) => {
      if (!step.parties.includes(party)) return el("td");
      const dot = /** @type {HTMLButtonElement} */ (el("button", { type: "button", class: `dot ${step.state.replace(" ", "-")}`, "aria-label": `${step.number}, ${step.title}: ${step.said}`, onclick: () => choose(index) }, SIGNS[step.state]));
      dots[index].push(dot);
      return el("td", {}, dot);
    })))));
  table.addEventListener("keydown", (event) => {
    const to = /** @type {Record<string, number>} */ ({ ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: m.steps.length - 1 })[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    choose(to, true);
  });
  const done = m.steps.filter((step) => step.state === "done").length;
  const doing = running && el("div", { class: "doing" }, el("progress", { max: m.steps.length, value: done, "aria-label": "Steps done" }), m.doing || "running");
  const sure = m.asks && host.ask && el("div", { class: "asks", role: "group", "aria-label": "Sure?" }, el("p", {}, m.asks), el("div", { class: "acts" },
    el("button", { type: "button", class: "danger", onclick: () => act("reset", m.steps[at], { yes: true }) }, "Yes, start over"),
    el("button", { type: "button", onclick: () => act("look", m.steps[at]) }, "No")));
  const legend = el("p", { class: "note legend" }, el("span", { class: "key rested" }), " what the chosen step rests on ", el("span", { class: "key resting" }), " what needs it");
  choose(at);
  host.say(running || m.asks ? m.doing || m.asks : "");
  return el("div", { class: "card" }, head(doing ? { ...m.head, why: "" } : m.head), doing, sure, el("div", { class: "map" }, table, legend), detail);
}
