// @ts-check
// A certificate chain: five lives on one line of time. Drag the time, and see which link fails when.
import { asked, code, copyButton, digest, el, facts, head, icon, MARKS, picture, roving, rows, section } from "./common.js";
import { fromHex } from "./hex.js";

/** @typedef {import("./common.js").Host} Host */
/** @typedef {import("./common.js").Tone} Tone */
/**
 * @typedef {{ role: string, der: string, wrong: string, subject: string, issuer: string, serial: string, key: string, signature: string,
 *   extensions: [string, string][], start: number, end: number, lasts: string, fingerprint: import("./common.js").Digest, link: string, link_tone: Tone }} Certificate
 */
/**
 * @typedef {{ head: import("./common.js").Head, certificates: Certificate[], at: number, middle: number, middle_name: string,
 *   times: { name: string, at: number }[], ticks: [number, string][], differences: { role: string, tone: Tone, said: string }[] }} ChainModel
 */

const MINUTE = 60;
const UNITS = /** @type {[number, string][]} */ ([[365 * 86400, "year"], [86400, "day"], [3600, "hour"], [MINUTE, "minute"]]);

/** Where a time stands on the axis, 0 to 1; as `place_of` of chain_model.py. @param {number} seconds @param {number} before @param {number} after */
export function placeOf(seconds, before, after) {
  const [left, right] = [Math.log1p(before / MINUTE), Math.log1p(after / MINUTE)];
  const middle = left / (left + right || 1);
  if (seconds < 0) return middle - middle * Math.min(1, Math.log1p(-seconds / MINUTE) / (left || 1));
  return middle + (1 - middle) * Math.min(1, Math.log1p(seconds / MINUTE) / (right || 1));
}

/** The time at a place of the axis. @param {number} place @param {number} before @param {number} after */
export function timeAt(place, before, after) {
  const [left, right] = [Math.log1p(before / MINUTE), Math.log1p(after / MINUTE)];
  const middle = left / (left + right || 1);
  if (place < middle) return -MINUTE * Math.expm1(left * (middle - place) / (middle || 1));
  return MINUTE * Math.expm1(right * (place - middle) / (1 - middle || 1));
}

/** @param {number} seconds */
export function span(seconds) {
  for (const [size, name] of UNITS) {
    if (seconds >= size) { const count = Math.floor(seconds / size); return `${count.toLocaleString("en")} ${name}${count > 1 ? "s" : ""}`; }
  }
  const count = Math.max(1, Math.floor(seconds));
  return `${count} second${count > 1 ? "s" : ""}`;
}

/** @param {string} text */
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** The verdict and its reason at a time; as `verdict_at` of chain_model.py. @param {Certificate[]} list @param {number} at @returns {[string, string]} */
export function verdictAt(list, at) {
  for (const one of list) {
    if (one.wrong) return [`The ${one.role} one cannot be read`, one.wrong];
    if (one.link_tone === "bad") return ["The chain does not hold", `${capital(one.role)}: ${one.link}.`];
  }
  const late = list.filter((one) => at < one.start || at > one.end);
  const worst = late[late.length - 1];
  if (!worst) return ["Every link holds at this time", ""];
  const more = late.length > 1 ? ` ${late.length - 1} more are not valid either.` : "";
  const verdict = `The ${worst.role} is not valid at this time`;
  if (at > worst.end) return [verdict, `${capital(worst.role)} expired ${span(at - worst.end)} before.${more}`];
  return [verdict, `${capital(worst.role)} begins ${span(worst.start - at)} later.${more}`];
}

/** @param {number} seconds */
function moment(seconds) {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? `${Math.round(seconds)} s after 1970` : date.toISOString().slice(0, 19).replace("T", " ") + " UTC";
}

/** @param {string} hex */
function pem(hex) {
  let text = "";
  for (const byte of fromHex(hex)) text += String.fromCharCode(byte);
  return `-----BEGIN CERTIFICATE-----\n${(btoa(text).match(/.{1,64}/g) ?? []).join("\n")}\n-----END CERTIFICATE-----\n`;
}

/** @param {Certificate} one @param {number} at @returns {[Tone, string]} */
function stateAt(one, at) {
  if (one.wrong || one.link_tone === "bad") return ["bad", one.wrong ? "cannot be read" : ""];
  if (at > one.end) return ["bad", `expired ${span(at - one.end)} before`];
  if (at < one.start) return ["bad", `begins ${span(one.start - at)} later`];
  return ["good", ""];
}

/** @param {ChainModel} m @param {Host} host */
export function draw(m, host) {
  const before = -m.ticks[0][0];
  const after = m.ticks[m.ticks.length - 1][0];
  /** @param {number} at */
  const percent = (at) => 100 * placeOf(at - m.middle, before, after);
  let at = m.at;

  const top = el("div");
  const readout = el("span", { class: "mono" });
  const bars = m.certificates.map((one) => {
    const life = el("span", { class: "life" });
    if (!one.wrong) {
      life.style.left = `${percent(one.start)}%`;
      life.style.width = `max(4px, ${percent(one.end) - percent(one.start)}%)`;
    }
    return { one, life, row: el("div", { class: "lane" }, el("span", { class: "who" }, el("b", {}, capital(one.role)), el("small", {}, one.lasts)), el("span", { class: "track" }, one.wrong ? el("span", { class: "note" }, one.wrong) : life)) };
  });
  const ticks = el("div", { class: "ticks", "aria-hidden": "true" }, ...m.ticks.map(([seconds, name]) => {
    const tick = el("span", {}, name || m.middle_name);
    tick.style.left = `${100 * placeOf(seconds, before, after)}%`;
    return tick;
  }));
  const grid = el("div", { class: "grid", "aria-hidden": "true" }, ...m.ticks.map(([seconds]) => {
    const line = el("i");
    line.style.left = `${100 * placeOf(seconds, before, after)}%`;
    return line;
  }));
  const handle = el("span", { class: "handle", role: "slider", tabindex: "0", "aria-label": "Time of the check", "aria-valuemin": "0", "aria-valuemax": "1000" }, el("span", { class: "grip", "aria-hidden": "true" }));
  const axis = el("div", { class: "axis" }, grid, handle);
  const chips = m.certificates.map(() => el("span", { class: "chips" }));
  const choices = m.times.map((time) => el("button", { type: "button", "aria-pressed": "false", onclick: () => move(time.at, true) }, time.name));
  const group = el("div", { class: "choices", role: "group", "aria-label": "Check at" }, el("span", { class: "note" }, "Check at"), ...choices, readout);
  roving(group, "button");

  /** @param {number} to @param {boolean} aloud */
  const move = (to, aloud) => {
    at = to;
    const [verdict, why] = verdictAt(m.certificates, at);
    const good = verdict.startsWith("Every");
    const mend = verdict.endsWith("at this time") ? "Judge it at its own time, or ask the enclave for a new one: a leaf lives three hours." : "Do not believe it: find out who made these certificates.";
    top.replaceChildren(head({ what: m.head.what, verdict, tone: good ? "good" : "bad", why: why || `Judged at ${moment(at)}.`, next: good ? "" : mend }));
    handle.style.left = `${percent(at)}%`;
    handle.setAttribute("aria-valuenow", String(Math.round(percent(at) * 10)));
    handle.setAttribute("aria-valuetext", moment(at));
    readout.textContent = moment(at);
    bars.forEach(({ one, life }, index) => {
      const [tone, said] = stateAt(one, at);
      life.className = `life ${tone}`;
      life.replaceChildren(icon(tone));
      chips[index].replaceChildren(said ? chipOf("bad", said) : "", one.wrong ? "" : chipOf(one.link_tone, one.link));
    });
    choices.forEach((button, index) => button.setAttribute("aria-pressed", String(m.times[index].at === at)));
    if (aloud) host.say(`${moment(at)}: ${verdict}. ${why}`);
  };
  /** @param {Tone} tone @param {string} text */
  const chipOf = (tone, text) => el("span", { class: `chip ${tone}` }, icon(tone === "good" ? "link" : tone), text);

  /** @param {PointerEvent} event */
  const drag = (event) => {
    const box = axis.getBoundingClientRect();
    const place = Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
    move(Math.round(m.middle + timeAt(place, before, after)), false);
  };
  axis.addEventListener("pointerdown", (event) => {
    axis.setPointerCapture(event.pointerId);
    drag(event);
    axis.addEventListener("pointermove", drag);
    handle.focus({ preventScroll: true });
    event.preventDefault();
  });
  axis.addEventListener("pointerup", () => { axis.removeEventListener("pointermove", drag); move(at, true); });
  handle.addEventListener("keydown", (event) => {
    const place = percent(at) / 100;
    const step = event.shiftKey ? 0.05 : 0.005;
    const to = { ArrowLeft: place - step, ArrowDown: place - step, ArrowRight: place + step, ArrowUp: place + step, PageUp: place + 0.05, PageDown: place - 0.05, Home: 0, End: 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    move(Math.round(m.middle + timeAt(Math.max(0, Math.min(1, to)), before, after)), true);
  });

  const cards = m.certificates.map((one, index) => el("details", { class: "cert", open: index === m.certificates.length - 1 },
    el("summary", {}, picture(one.fingerprint.picture, 32), el("span", { class: "words" }, el("b", {}, capital(one.role)), code(one.subject || one.wrong)), chips[index], icon("down")),
    facts([
      ["Valid", one.wrong ? "" : `${moment(one.start)} to ${moment(one.end)}, ${one.lasts}`],
      ["Issuer", one.issuer && code(one.issuer)], ["Serial", one.serial && el("code", { class: "hx" }, (one.serial.match(/.{1,8}/g) ?? []).join(" "))],
      ["Key", one.key && `${one.key}, signature ${one.signature}`],
      ...one.extensions.map(([name, value]) => /** @type {[string, Node]} */ ([capital(name), code(value)])),
      ["SHA-256", digest(one.fingerprint, 0, false)],
    ]),
    el("p", { class: "copy" }, copyButton("PEM", () => pem(one.der), host), el("span", { class: "note" }, `${one.der.length / 2} bytes`))));

  const card = el("article", { class: "card chain", "aria-label": "Certificate chain" }, top,
    el("div", { class: "time" }, el("div", { class: "ends note", "aria-hidden": "true" }, el("span", {}, `← before the ${m.middle_name}`), el("span", {}, "after →")), ticks, el("div", { class: "lanes5" }, ...bars.map(({ row }) => row), axis), group),
    m.differences.length ? compared(m.differences) : null,
    el("div", {}, ...cards),
    comparer(host),
    el("p", { class: "part note" }, "The time axis is logarithmic on both sides: thirty years and three hours on one line."));
  move(at, false);
  return card;
}

/** @param {ChainModel["differences"]} differences */
function compared(differences) {
  return section("Compared with the other chain", rows(["", "certificate", "both chains"],
    differences.map((row) => [el("span", { class: `t-${row.tone}` }, `${MARKS[row.tone]} ${row.tone === "good" ? "same" : "differs"}`), row.role, row.said]), "Both chains"));
}

/** @param {Host} host */
function comparer(host) {
  if (!host.ask) return null;
  const text = /** @type {HTMLTextAreaElement} */ (el("textarea", { rows: "2", cols: "60", "aria-label": "Another document or certificates, in PEM, base64 or hex", spellcheck: "false" }));
  text.addEventListener("keydown", (event) => event.stopPropagation());
  const out = el("div");
  return el("details", { class: "part" }, el("summary", {}, "Compare with another chain"),
    el("p", { class: "note" }, "Paste a document, or certificates, in PEM, base64 or hex."), text,
    el("p", {}, el("button", { type: "button", onclick: async () => {
      const answer = await asked(host, "compare", { text: text.value });
      out.replaceChildren(answer ? compared(answer) : el("p", { class: "t-bad" }, "✗ Neither a document nor certificates."));
      if (answer) host.say("Compared");
    } }, "Compare")), out);
}
