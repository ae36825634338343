// @ts-check
// A sequence diagram: lanes, messages with those who carry them, in order or along a ruler of time. Arrows meet their lanes.
import { svg } from "./common.js";

/** @typedef {import("./common.js").Digest} Digest */
/** @typedef {{ id: string, title: string, note: string }} Lane */
/** @typedef {{ lane: string, how: "reads" | "relays" | "nothing", text: string }} Seen */
/**
 * @typedef {object} Message
 * @property {string} step @property {string} source @property {string} target @property {string} what @property {string} label
 * @property {number} size @property {number} after_ms @property {string[]} via @property {boolean} tls
 * @property {string[]} readable @property {Seen[]} seen @property {string} path @property {Digest | null} digest
 * @property {[string, number][]} records @property {string} beginning @property {string} told_by @property {string} job
 */

const WIDTH = 820;
const [LEFT, RIGHT] = [110, 690];
const TOP = 72;
const ROW = 56;
const RELAY = 13; // half the relay's square
const TIP = 11;

/** The x of each lane's line. @param {Lane[]} lanes @returns {Record<string, number>} */
export function places(lanes) {
  const step = (RIGHT - LEFT) / Math.max(lanes.length - 1, 1);
  return Object.fromEntries(lanes.map((lane, at) => [lane.id, LEFT + at * step]));
}

/**
 * Where each message stands, and where its time is on the ruler. Rows that would touch are moved apart; the ruler stays to scale.
 * @param {number[]} times  milliseconds @param {boolean} byTime @returns {{ rows: number[], marks: number[], height: number }}
 */
export function layout(times, byTime) {
  const rows = times.map((_, at) => TOP + 30 + at * ROW);
  const height = TOP + ROW * times.length + 8;
  if (!byTime || !times.length) return { rows, marks: rows, height };
  const [first, last] = [Math.min(...times), Math.max(...times)];
  const run = Math.max(height - TOP - 60, 1);
  const marks = times.map((time) => TOP + 30 + (last > first ? ((time - first) / (last - first)) * run : 0));
  const moved = marks.map((mark) => mark);
  for (let at = 1; at < moved.length; at++) moved[at] = Math.max(marks[at], moved[at - 1] + ROW);
  return { rows: moved, marks, height: Math.max(height, moved[moved.length - 1] + 36) };
}

/** Where a message's line leaves one lane and reaches another. @param {Message} m @param {string} one @param {string} other @param {Record<string, number>} at @returns {[number, number]} */
export function ends(m, one, other, at) {
  /** @param {string} lane */
  const edge = (lane) => (m.via.includes(lane) ? RELAY : lane === "parent" ? 5 : 1);
  const way = at[other] > at[one] ? 1 : -1;
  return [at[one] + way * edge(one), at[other] - way * edge(other)];
}

/** @param {string} text @param {number} x @param {number} y @param {string} cls */
const words = (text, x, y, cls) => svg("text", { x, y, class: cls }, text);

/** What is seen of a message by the chosen party: its name, or what is left of it. @param {Message} m @param {string} viewer */
export function veiled(m, viewer) {
  if (!viewer || m.readable.includes(viewer)) return "";
  return m.via.includes(viewer) ? "TLS records" : "not seen";
}

/** @param {Message} m @param {Record<string, number>} at @param {number} y @param {string} said @param {string} veil  id of the hatching, "" where the message is read */
function drawn(m, at, y, said, veil) {
  const kids = [];
  const stops = [m.source, ...m.via, m.target];
  const tls = m.tls || Boolean(veil);
  if (m.source === m.target) kids.push(svg("path", { d: `M${at[m.source] + 2} ${y - 7}h26v14h-26`, class: "wire" }));
  else {
    for (let i = 0; i + 1 < stops.length; i++) {
      const [begin, end] = ends(m, stops[i], stops[i + 1], at);
      const way = end > begin ? 1 : -1;
      const last = i + 2 === stops.length;
      const stop = last ? end - way * TIP : end;
      const lines = tls ? [y - 3, y + 3] : [y];
      kids.push(svg("path", { d: lines.map((line) => `M${begin} ${line}H${stop}`).join(""), class: tls ? "wire tls" : "wire" }));
      if (last) kids.push(svg("path", { d: `M${end} ${y}l${-way * TIP} -6.5v13z`, class: "tip" }));
    }
  }
  for (const lane of m.via) {
    kids.push(svg("rect", { x: at[lane] - RELAY, y: y - RELAY, width: 26, height: 26, rx: 7, class: "relay" }),
      svg("path", { d: "M5 11h14v9H5zM8 11V8a4 4 0 0 1 8 0v3", transform: `translate(${at[lane] - 8} ${y - 8}) scale(.667)`, class: "lock" }),
      words(m.readable.includes(lane) ? "could read it" : "relays, cannot open", at[lane] + 20, y + 20, "sub start"));
  }
  const middle = (at[stops[0]] + at[stops[1]]) / 2;
  if (veil) {
    const wide = Math.min(Math.max(said.length * 7 + 50, 110), Math.abs(at[stops[0]] - at[stops[1]]) - 30);
    const inner = Math.min(said.length * 8.6 + 8, wide - 16);
    kids.push(svg("rect", { x: middle - wide / 2, y: y - 30, width: wide, height: 19, rx: 5, class: "veil", fill: `url(#${veil})` }),
      svg("rect", { x: middle - inner / 2, y: y - 28, width: inner, height: 15, rx: 4, class: "veil-in" }));
  }
  kids.push(words(said, middle, y - 16, "said"));
  return kids;
}

/** @param {Lane[]} lanes @param {Record<string, number>} at @param {number} height */
function laneParts(lanes, at, height) {
  const width = Math.min(180, (RIGHT - LEFT) / Math.max(lanes.length - 1, 1) - 12);
  return lanes.map((lane) => {
    const note = lane.note.length * 5.6 < width ? lane.note : "";
    const parent = lane.id === "parent";
    return svg("g", {}, svg("line", { x1: at[lane.id], x2: at[lane.id], y1: 58, y2: height, class: parent ? "lane broad" : "lane" }),
      svg("rect", { x: at[lane.id] - width / 2, y: 8, width, height: 44, rx: 9, class: parent ? "party relaying" : "party" }),
      words(lane.title.slice(0, 22), at[lane.id], note ? 27 : 35, "name"), note ? words(note, at[lane.id], 43, "sub") : null);
  });
}

/** The hatching that veils what a party could not read. @param {string} id */
function hatching(id) {
  return svg("defs", {}, svg("pattern", { id, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    svg("rect", { width: 6, height: 6, class: "veil-dark" }), svg("rect", { width: 2, height: 6, class: "veil-line" })));
}

let diagrams = 0;

/**
 * @param {{ lanes: Lane[], messages: Message[], viewer: string, byTime: boolean, label: (m: Message) => string, chosen: (at: number) => void }} options
 */
export function sequence({ lanes, messages, viewer, byTime, label, chosen }) {
  const veil = `nw-veil-${++diagrams}`;
  const at = places(lanes);
  const { rows, marks, height } = layout(messages.map((m) => m.after_ms), byTime);
  const root = svg("svg", { class: "seq", viewBox: `0 0 ${WIDTH} ${height}`, role: "group", "aria-label": "Sequence diagram" }, hatching(veil), ...laneParts(lanes, at, height), words("bytes", 812, 67, "sub size"));
  if (byTime) root.append(svg("line", { x1: 6, x2: 6, y1: TOP, y2: height - 6, class: "lane" }));
  const made = messages.map((m, index) => {
    const [y, seen] = [rows[index], veiled(m, viewer)];
    const node = svg("g", { class: seen ? "msg veiled" : "msg", role: "button", tabindex: index ? -1 : 0, "aria-pressed": "false", "aria-label": label(m) + (seen ? `; as seen: ${seen}` : "") },
      svg("rect", { class: "hit", x: 12, y: y - 30, width: 804, height: 54, rx: 8 }),
      byTime && svg("path", { d: `M6 ${marks[index]}L20 ${y}`, class: "tick" }), byTime && svg("circle", { cx: 6, cy: marks[index], r: 3.5, class: "tip" }),
      words(m.step, 22, y + 4, "step"), byTime && words(`+${m.after_ms.toLocaleString("en")} ms`, 22, y + 19, "sub start"),
      ...drawn(m, at, y, seen || m.label, seen && veil), words(m.size.toLocaleString("en"), 812, y + 4, "size"));
    node.addEventListener("click", () => chosen(index));
    root.append(node);
    return node;
  });
  return { root, made };
}
