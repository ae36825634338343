// @ts-check
// The enclaves of a host: launch, end (asks first), follow the console of one in debug mode.
import { asked, chip, code, digest, el, facts, head, mark, rows, section } from "./common.js";

/** @typedef {import("./common.js").Host} Host */
/** @typedef {import("./common.js").Tone} Tone */
/**
 * @typedef {{ id: string, name: string, image: string, state: string, tone: Tone, debug: boolean, flags: string, facts: [string, string][],
 *   pcrs: [string, import("./common.js").Digest][], console: string }} EnclaveRow
 * @typedef {{ head: import("./common.js").Head, enclaves: EnclaveRow[], jobs: { id: string, form: string, state: string, step: string, tone: Tone, error: string }[],
 *   refusals: { asked: string, code: string, found: string, next: string }[], asks: string, left_out: number }} EnclaveModel
 */

const PACE = 1000; // milliseconds from an answer to the next look at a console

/** @param {Host} host @param {string} question @param {object} [values] */
async function act(host, question, values = {}) {
  const answer = await asked(host, question, values);
  if (answer) { host.redraw(answer); host.say(answer.head.verdict); }
}

/** The console of a debug enclave, followed from its last byte on. @param {EnclaveRow} row @param {Host} host */
function console_(row, host) {
  const text = el("pre", { class: "console", tabindex: 0, role: "log", "aria-label": `Console of ${row.name}` }, row.console);
  if (!host.ask) return row.console ? text : null;
  /** @type {object | null} */
  let following = null; // another one each time it is begun
  let offset = 0;
  const stop = () => { following = null; button.setAttribute("aria-pressed", "false"); };
  const follow = async () => {
    const mine = following = {};
    button.setAttribute("aria-pressed", "true");
    // The pause begins with the answer: two questions at once would bring the same text twice.
    for (; following === mine; await new Promise((done) => setTimeout(done, PACE))) {
      const answer = await asked(host, "console", { id: row.id, offset });
      if (following !== mine) return;
      if (!answer) return stop();
      if (offset === 0) text.textContent = "";
      text.append(answer.text);
      offset = answer.offset;
      text.scrollTop = text.scrollHeight;
      if (answer.ended) { stop(); host.say(`${row.name} has ended`); }
    }
  };
  const button = el("button", { type: "button", "aria-pressed": "false", onclick: () => { if (following) stop(); else follow(); } }, "Follow the console");
  host.signal.addEventListener("abort", stop);
  return el("div", {}, el("p", { class: "under" }, button), text);
}

/** @param {EnclaveRow} row @param {Host} host */
function enclave(row, host) {
  const end = host.ask && el("button", { type: "button", class: "danger", onclick: () => act(host, "terminate", { id: row.id }) }, "End it …");
  return el("section", { class: "part", "aria-label": row.name },
    el("div", { class: "side" }, el("h4", {}, row.name || "enclave"), mark(row.tone, row.state), chip(row.debug ? "warning" : "neutral", row.debug ? "debug mode" : "production mode"), el("span", { class: "push" }, end)),
    facts([["id", code(row.id)], ["image", row.image], ["flags", row.flags], ...row.facts]),
    row.pcrs.length > 0 && el("div", { class: "tiles" }, ...row.pcrs.map(([name, value]) => el("div", { class: "tile" }, el("b", {}, name), digest(value, 4)))),
    row.debug && console_(row, host));
}

/** @param {Host} host */
function launcher(host) {
  if (!host.ask) return null;
  const memory = /** @type {HTMLInputElement} */ (el("input", { type: "number", value: 512, min: 64, "aria-label": "Memory, MiB" }));
  const cpus = /** @type {HTMLInputElement} */ (el("input", { type: "number", value: 2, min: 1, "aria-label": "CPUs" }));
  const debug = /** @type {HTMLInputElement} */ (el("input", { type: "checkbox", id: "nw-debug" }));
  const go = () => act(host, "launch", { memory_mib: Number(memory.value), cpu_count: Number(cpus.value), debug_mode: debug.checked });
  return section("Launch the image of P6", el("div", { class: "launch" }, el("label", {}, "memory, MiB ", memory), el("label", {}, "CPUs ", cpus), el("label", {}, debug, " debug mode"),
    el("button", { type: "button", onclick: go }, "Launch"), el("button", { type: "button", onclick: () => act(host, "look") }, "Look again")));
}

/** @param {EnclaveModel} m @param {Host} host */
export function draw(m, host) {
  const sure = m.asks && host.ask && el("div", { class: "asks side", role: "group", "aria-label": "Sure?" }, el("span", {}, `End ${m.asks}? Its key pair goes with it: what was sealed to it can never be opened.`),
    el("button", { type: "button", class: "danger", onclick: () => act(host, "terminate", { id: m.asks, yes: true }) }, "Yes, end it"), el("button", { type: "button", onclick: () => act(host, "look") }, "No"));
  const jobs = m.jobs.map((job) => [job.form, code(job.id), mark(job.tone, job.state), job.step, job.error || "—"]);
  const refusals = m.refusals.map((one) => [one.asked, mark("bad", one.code), one.found, one.next]);
  return el("div", { class: "card" }, head(m.head), sure, ...m.enclaves.map((row) => enclave(row, host)),
    jobs.length > 0 && section("Jobs", rows(["form", "job", "state", "step", "refusal"], jobs, "Jobs")),
    refusals.length > 0 && section("Refused", rows(["asked", "code", "found", "next"], refusals, "Refusals")), launcher(host));
}
