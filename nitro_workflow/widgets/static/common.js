// @ts-check
// The pieces that every live form is built from. Texts come from attackers: textContent only, never markup.

/**
 * What a live form is given beside its model.
 * @typedef {object} Host
 * @property {((question: string, values?: object) => Promise<any>) | null} ask  asks Python; null where nobody answers
 * @property {(text: string) => void} say  tells the one live region
 * @property {(model: any) => void} redraw  draws another model of the same kind in this one's place
 * @property {AbortSignal} signal  aborted when the form is taken away
 * @property {Record<string, (model: any, host: Host) => Node>} draws  how other kinds are drawn, where this form shows them
 */

/** @typedef {"good" | "bad" | "neutral" | "warning"} Tone */
/** @typedef {{ what: string, verdict: string, tone: Tone, why: string, next: string }} Head */
/** @typedef {{ hex: string, picture: { hues: [number, number], cells: string } | null, difference: number }} Digest */
/** @typedef {Node | string | null | undefined | false} Kid */

/** @type {Record<Tone, string>} */
export const MARKS = { good: "✓", bad: "✗", warning: "!", neutral: "–" };

/** @type {Record<string, string>} */
const ICONS = {
  good: "M5 12.5l4.5 4.5L19 7.5",
  bad: "M6.5 6.5l11 11M17.5 6.5l-11 11",
  warning: "M12 5v9M12 18.2v.1",
  neutral: "M6 12h12",
  copy: "M9 9h11v11H9zM5 15V5a1 1 0 0 1 1-1h9",
  right: "M9 6l6 6-6 6",
  down: "M6 9l6 6 6-6",
  left: "M15 6l-6 6 6 6",
  arrow: "M4 12h15M13 6l6 6-6 6",
  reset: "M4 5v5h5M4.5 10a8 8 0 1 1-.5 4",
  play: "M7 5l12 7-12 7z",
  pause: "M8 5v14M16 5v14",
  link: "M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1.5 1.5M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1.5-1.5",
  lock: "M5 11h14v9H5zM8 11V8a4 4 0 0 1 8 0v3",
  drop: "M12 4v11M7 10l5 5 5-5M4 20h16",
};

const SVG = "http://www.w3.org/2000/svg";

/** @param {Element} node @param {Record<string, any>} props @param {Kid[]} kids */
function fill(node, props, kids) {
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on") && typeof value === "function") node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== undefined && value !== null && value !== false && value !== "") node.setAttribute(name, String(value));
  }
  for (const kid of kids) if (kid !== null && kid !== undefined && kid !== false && kid !== "") node.append(kid);
}

/**
 * An element; `onclick` and the like are listeners, and empty values leave an attribute out.
 * @param {string} tag @param {Record<string, any>} [props] @param {...Kid} kids @returns {HTMLElement}
 */
export function el(tag, props = {}, ...kids) {
  const node = document.createElement(tag);
  fill(node, props, kids);
  return node;
}

/** @param {string} tag @param {Record<string, any>} [props] @param {...Kid} kids @returns {SVGElement} */
export function svg(tag, props = {}, ...kids) {
  const node = /** @type {SVGElement} */ (document.createElementNS(SVG, tag));
  fill(node, props, kids);
  return node;
}

/** @param {string} name */
export function icon(name) {
  return svg("svg", { class: "i", viewBox: "0 0 24 24", "aria-hidden": "true" }, svg("path", { d: ICONS[name] }));
}

/** @param {Tone} tone @param {string} text */
export function mark(tone, text) {
  return el("span", { class: `t-${tone}` }, el("b", { class: "sign" }, MARKS[tone]), ` ${text}`);
}

/** @param {Tone} tone @param {...Kid} kids */
export function chip(tone, ...kids) {
  return el("span", { class: `chip ${tone}` }, el("b", { class: "sign" }, MARKS[tone]), " ", ...kids);
}

/** A name that breaks after `:` and `/` only, never inside an account number. @param {string} text */
export function code(text) {
  const node = el("code");
  text.split(/(?<=[:/@,|])(?=\S)/).forEach((part, index) => node.append(...(index ? [el("wbr"), part] : [part])));
  return node;
}

/** The head of a card. @param {Head} h @param {Kid} [aside] */
export function head(h, aside) {
  return el("div", { class: `head ${h.tone}` },
    el("span", { class: "seal", "aria-hidden": "true" }, icon(h.tone)),
    el("div", { class: "words" },
      el("div", { class: "what" }, h.what),
      el("h3", { class: "verdict" }, el("b", { class: "sign" }, `${MARKS[h.tone]} `), el("b", {}, h.verdict)),
      h.why && el("p", { class: "why" }, h.why),
      h.next && el("p", { class: "next" }, "Next: ", el("b", {}, h.next))),
    aside);
}

/** @param {string} title @param {...Kid} kids */
export function section(title, ...kids) {
  return el("section", { class: "part", "aria-label": title }, el("h4", { class: "title" }, title), ...kids);
}

/** @param {Kid} summary @param {...Kid} kids */
export function fold(summary, ...kids) {
  return el("details", {}, el("summary", {}, summary), ...kids);
}

/** Names with their values; empty values are left out. @param {[string, Kid][]} pairs */
export function facts(pairs) {
  const kept = pairs.filter(([, value]) => value);
  const lines = kept.map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, value)));
  return el("table", { class: "facts" }, el("tbody", {}, ...lines));
}

/** A table; the first cell of each line is its head. @param {string[]} columns @param {Kid[][]} lines @param {string} label */
export function rows(columns, lines, label) {
  const top = columns.some(Boolean) && el("thead", {}, el("tr", {}, ...columns.map((name) => el("th", { scope: "col" }, name))));
  const body = lines.map((line) => el("tr", {}, ...line.map((kid, at) => (at ? el("td", {}, kid) : el("th", { scope: "row" }, kid)))));
  return el("table", { "aria-label": label }, top, el("tbody", {}, ...body));
}

/** Hex in groups of eight digits. @param {string} hex @returns {string[]} */
export function groupsOf(hex) {
  return hex.match(/.{1,8}/g) ?? [];
}

/** The picture of a digest, as Python mixed it. @param {Digest["picture"]} picture @param {number} [side] */
export function picture(picture, side = 44) {
  const label = picture ? "picture of the digest" : "all zero";
  const root = svg("svg", { class: "pic", width: side, height: side, viewBox: "0 0 8 8", role: "img", "aria-label": label });
  if (!picture) {
    root.append(svg("rect", { x: 0.3, y: 0.3, width: 7.4, height: 7.4, rx: 1, fill: "none", stroke: "currentColor", "stroke-width": 0.2, "stroke-dasharray": ".6 .5", opacity: 0.6 }));
    return root;
  }
  const [first, second] = picture.hues;
  const fills = [`hsl(${first} 40% 88%)`, `hsl(${first} 60% 30%)`, `hsl(${first} 55% 48%)`, `hsl(${second} 60% 60%)`];
  root.setAttribute("shape-rendering", "crispEdges");
  root.append(svg("rect", { width: 8, height: 8, fill: fills[0] }));
  fills.forEach((colour, tone) => {
    const d = [...picture.cells].map((cell, at) => {
      const [x, y] = [at % 4, Math.floor(at / 4)];
      return tone && cell === String(tone) ? `M${x} ${y}h1v1h-1zM${7 - x} ${y}h1v1h-1z` : "";
    }).join("");
    if (d) root.append(svg("path", { fill: colour, d }));
  });
  return root;
}

/**
 * A digest: its picture and its groups; `count` cuts it, 0 shows it whole. A cut one still shows the group that differs.
 * @param {Digest} d @param {number} [count] @param {boolean} [drawn]
 */
export function digest(d, count = 0, drawn = true) {
  const whole = groupsOf(d.hex);
  const image = drawn && picture(d.picture);
  if (d.hex && !d.hex.replaceAll("0", "")) {
    return el("span", { class: "digest" }, image, el("span", { class: "zero" }, `all zero, ${d.hex.length / 2} bytes`));
  }
  const place = d.difference < 0 ? -1 : Math.floor(d.difference / 8);
  const shown = count ? whole.slice(0, count) : whole;
  const node = el("code", { class: "hx" });
  /** @param {string} group @param {number} index */
  const add = (group, index) => {
    if (node.childNodes.length) node.append(" ");
    const at = index === place ? d.difference % 8 : -1;
    node.append(at < 0 ? group : group.slice(0, at));
    if (at >= 0) node.append(el("mark", { title: "the first difference" }, el("b", {}, group.slice(at, at + 1))), group.slice(at + 1));
  };
  shown.forEach(add);
  if (shown.length < whole.length) {
    node.append(" …");
    if (place >= shown.length) { add(whole[place], place); node.append(" …"); }
  }
  return el("span", { class: "digest" }, image, node);
}

/** A button that copies what `text` returns, and says so. @param {string} label @param {() => string} text @param {Host} host */
export function copyButton(label, text, host) {
  return el("button", { type: "button", onclick: async () => {
    try {
      await navigator.clipboard.writeText(text());
      host.say(`Copied ${label}`);
    } catch {
      host.say("This page may not write to the clipboard");
    }
  } }, icon("copy"), label);
}

/**
 * Walk the items of a container with the arrow keys: one of them is in the tab order.
 * @param {HTMLElement} container @param {string} selector @param {(item: HTMLElement) => void} [chosen]  called when focus moves by keyboard
 */
export function roving(container, selector, chosen) {
  const items = () => /** @type {HTMLElement[]} */ ([...container.querySelectorAll(selector)]).filter((item) => !item.hidden);
  const settle = () => items().forEach((item, at) => { item.tabIndex = at ? -1 : 0; });
  container.addEventListener("keydown", (event) => {
    const list = items();
    const at = list.indexOf(/** @type {any} */ (document.activeElement));
    const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: list.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const next = list[Math.max(0, Math.min(list.length - 1, to))];
    for (const item of list) item.tabIndex = item === next ? 0 : -1;
    next.focus();
    chosen?.(next);
  });
  container.addEventListener("focusin", (event) => {
    const item = /** @type {HTMLElement} */ (event.target).closest(selector);
    if (item) for (const one of items()) one.tabIndex = one === item ? 0 : -1;
  });
  settle();
}

/** @param {number} count */
export function size(count) {
  return `${count.toLocaleString("en")} ${count === 1 ? "byte" : "bytes"}`;
}

/**
 * Ask Python; a refusal becomes one sentence in the live region and null.
 * @param {Host} host @param {string} question @param {object} [values] @returns {Promise<any>}
 */
export async function asked(host, question, values = {}) {
  if (!host.ask) return null;
  try {
    return await host.ask(question, values);
  } catch (refusal) {
    host.say(String(refusal instanceof Error ? refusal.message : refusal));
    return null;
  }
}
