// @ts-check
// Who sent what to whom: step through it, choose whose eyes to look with, one job or all, by order or by time.
import { chip, code, digest, el, facts, head, icon, size } from "./common.js";
import { printable } from "./hex.js";
import { sequence } from "./sequence.js";

/** @typedef {import("./common.js").Host} Host */
/** @typedef {import("./sequence.js").Message} Message */
/** @typedef {import("./sequence.js").Lane} Lane */
/** @typedef {{ head: import("./common.js").Head, lanes: Lane[], messages: Message[], jobs: [string, string][], left_out: number }} TraceModel */

const PACE = 1400; // milliseconds a message, when it plays

/** The messages of one job, with those of no job. @param {Message[]} messages @param {string} job */
export function ofJob(messages, job) {
  return messages.filter((m) => !job || !m.job || m.job === job);
}

/** What a party could read, in one sentence. @param {string} title @param {string} lane @param {Message[]} messages */
export function verdict(title, lane, messages) {
  const read = messages.filter((m) => m.readable.includes(lane)).length;
  return `${title} could read ${read} of ${messages.length} messages`;
}

/** What a party could read and what it could not, by name. @param {string} lane @param {Message[]} messages */
export function readings(lane, messages) {
  /** @param {Message[]} some */
  const names = (some) => [...new Set(some.map((m) => m.label))].join("; ") || "nothing";
  return `It could read: ${names(messages.filter((m) => m.readable.includes(lane)))}. It could not: ${names(messages.filter((m) => !m.readable.includes(lane)))}.`;
}

/** Buttons of which one is pressed. @param {string} label @param {[string, string][]} choices @param {(value: string) => void} choose */
function segment(label, choices, choose) {
  const node = el("div", { class: "seg", role: "group", "aria-label": label }, ...choices.map(([value, text]) =>
    el("button", { type: "button", "data-value": value || "all", onclick: () => choose(value) }, text)));
  /** @param {string} value */
  const press = (value) => {
    for (const button of node.children) button.setAttribute("aria-pressed", String(button.getAttribute("data-value") === (value || "all")));
  };
  return { node, press };
}

/** @param {Message} m @param {Record<string, string>} names */
function told(m, names) {
  const relay = m.via.length ? `, relayed by ${m.via.map((one) => names[one]).join(", ")}` : "";
  return `${m.step}: ${names[m.source]} to ${names[m.target]}${relay}: ${m.what}, ${size(m.size)}`;
}

/** Bytes as a few rows of eight, as wide as their place. @param {string} hex */
function dump(hex) {
  return (hex.match(/.{1,16}/g) ?? []).map((row) => {
    const bytes = row.match(/../g) ?? [];
    return `${bytes.join(" ").padEnd(24)} ${bytes.map((byte) => printable(parseInt(byte, 16))).join("")}`;
  }).join("\n");
}

/** What a party had before its eyes. @param {Message} m @param {string} lane */
export function sight(m, lane) {
  if (m.readable.includes(lane)) return m.beginning ? dump(m.beginning) : `${m.what}\n${size(m.size)}; the trace keeps no content`;
  if (!m.via.includes(lane)) return "nothing: not on its way";
  const records = m.records.map(([kind, length]) => `${kind.padEnd(18)} ${size(length)}`);
  return records.length ? records.join("\n") : `TLS records, ${size(m.size)}`;
}

/** @param {TraceModel} m @param {Host} host */
export function draw(m, host) {
  const names = Object.fromEntries(m.lanes.map((lane) => [lane.id, lane.title]));
  const state = { viewer: "", job: "", byTime: false, at: 0 };
  let shown = m.messages;
  /** @type {Element[]} */
  let made = [];
  const [place, detail, top] = [el("div", { class: "dia" }), el("div", { class: "two" }), el("div")];
  const readers = segment("What could be read by", [["", "everyone"], ...m.lanes.map((lane) => /** @type {[string, string]} */ ([lane.id, lane.title]))], (value) => { state.viewer = value; redraw(true); });
  const order = segment("Rows", [["", "by order"], ["time", "by time"]], (value) => { state.byTime = Boolean(value); redraw(); });

  /** @param {number} at @param {boolean} [focus] */
  function choose(at, focus = false) {
    if (!shown.length) return;
    state.at = (at + shown.length) % shown.length;
    made.forEach((node, index) => { node.setAttribute("aria-pressed", String(index === state.at)); node.setAttribute("tabindex", index === state.at ? "0" : "-1"); });
    if (focus) /** @type {HTMLElement} */ (made[state.at]).focus();
    detail.replaceChildren(...details(shown[state.at]));
    host.say(told(shown[state.at], names));
  }

  /** @param {Message} one */
  function details(one) {
    const relay = one.via.length ? `, through the ${one.via.map((lane) => names[lane]).join(", ").toLowerCase()}` : "";
    const looker = state.viewer || one.via[0] || one.target;
    const chips = m.lanes.map((lane) => {
      const how = one.seen.find((seen) => seen.lane === lane.id)?.how ?? "nothing";
      return chip(how === "reads" ? "good" : "neutral", `${lane.title}: ${how === "nothing" ? "no" : how}`);
    });
    return [el("div", {}, el("h4", { class: "title" }, `${one.step} · ${names[one.source]} to ${names[one.target]}${relay}`), facts([
      ["path", one.path], ["what", one.what], ["size", size(one.size)], ["after", `${one.after_ms.toLocaleString("en")} ms`],
      ["records", one.records.length ? `${one.records.length} TLS records` : ""], ["SHA-256", one.digest && digest(one.digest, 0, false)],
      ["job", one.job && code(one.job)], ["told by", one.told_by]])),
    el("div", {}, el("h4", { class: "title" }, "Who could read it"), el("div", { class: "who" }, ...chips),
      el("p", { class: "note" }, `As ${names[looker] ?? looker} saw it:`), el("div", { class: "saw" }, sight(one, looker)))];
  }

  /** @param {boolean} [aloud] */
  function redraw(aloud = false) {
    shown = ofJob(m.messages, state.job);
    const drawing = sequence({ lanes: m.lanes, messages: shown, viewer: state.viewer, byTime: state.byTime, label: (one) => told(one, names), chosen: (at) => choose(at) });
    made = drawing.made;
    place.replaceChildren(drawing.root);
    readers.press(state.viewer);
    order.press(state.byTime ? "time" : "");
    const said = state.viewer ? verdict(names[state.viewer], state.viewer, shown) : m.head.verdict;
    top.replaceChildren(head({ ...m.head, verdict: said, why: state.viewer ? readings(state.viewer, shown) : m.head.why, tone: state.viewer ? "neutral" : m.head.tone }));
    choose(Math.min(state.at, Math.max(shown.length - 1, 0)));
    if (aloud) host.say(said);
  }

  place.addEventListener("keydown", (event) => {
    const to = /** @type {Record<string, number>} */ ({ ArrowDown: state.at + 1, ArrowRight: state.at + 1, ArrowUp: state.at - 1, ArrowLeft: state.at - 1, Home: 0, End: shown.length - 1 })[event.key];
    if (to === undefined && event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    event.stopPropagation();
    choose(to ?? made.indexOf(/** @type {Element} */ (document.activeElement)), true);
  });

  const controls = el("div", { class: "bar" }, readers.node, order.node, jobs(m.jobs, (job) => { state.job = job; redraw(); }), player(host, () => state.at + 1 < shown.length, choose, () => state.at));
  redraw();
  host.say("");
  return el("div", { class: "card" }, top, m.messages.length > 0 && controls, m.messages.length > 0 && place,
    m.messages.length > 0 && legend(), m.messages.length > 0 && detail,
    m.left_out > 0 && el("p", { class: "part note" }, `${m.left_out} more messages are not drawn.`));
}

/** One job or all. @param {[string, string][]} list @param {(job: string) => void} choose */
function jobs(list, choose) {
  if (list.length < 2) return null;
  const select = /** @type {HTMLSelectElement} */ (el("select", { "aria-label": "Job", onchange: () => choose(select.value) },
    el("option", { value: "" }, "all jobs"), ...list.map(([id, name]) => el("option", { value: id }, name))));
  return select;
}

/** Step back, play, step forward. @param {Host} host @param {() => boolean} more @param {(at: number) => void} choose @param {() => number} at */
function player(host, more, choose, at) {
  let timer = 0;
  const words = el("span", {}, "Play");
  const stop = () => { clearInterval(timer); timer = 0; words.textContent = "Play"; };
  const start = () => {
    choose(0);
    words.textContent = "Stop";
    timer = window.setInterval(() => (more() ? choose(at() + 1) : stop()), PACE);
  };
  host.signal.addEventListener("abort", stop);
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  return el("span", { class: "push" }, el("button", { type: "button", "aria-label": "Step back", onclick: () => choose(at() - 1) }, icon("left")),
    !still && el("button", { type: "button", onclick: () => (timer ? stop() : start()) }, icon("play"), words),
    el("button", { type: "button", "aria-label": "Step forward", onclick: () => choose(at() + 1) }, icon("right")));
}

function legend() {
  return el("div", { class: "legend" }, el("span", {}, "── read by both ends"), el("span", {}, "══ inside TLS"),
    el("span", {}, "▨ veiled: the chosen party could not read it"), el("span", {}, "The ruler of “by time” is to scale."));
}
