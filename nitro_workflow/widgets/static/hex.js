// @ts-check
// Bytes as rows of sixteen with an ASCII column. Only the rows in sight exist: a 64 MB image scrolls like a document.
import { el } from "./common.js";

const ROW = 16;
const HEIGHT = 20; // pixels a row
const LIMIT = 8_000_000; // pixels a browser still scrolls to; above it, a pixel is more than a row's share
const SPARE = 6; // rows drawn beyond the edges

/**
 * @typedef {object} HexOptions
 * @property {number} size  bytes in all
 * @property {(start: number, end: number) => Uint8Array | Promise<Uint8Array>} read
 * @property {string} label  what the pane is called
 * @property {(at: number) => string} [tint]  class of a byte's ground: "f1" to "f6", or ""
 * @property {(range: [number, number], at: number) => void} [onSelect]  a byte was chosen, by mouse or keyboard
 * @property {(at: number) => void} [onHover]  the byte under the mouse, or -1
 * @property {(at: number) => void} [onOpen]  Enter on a byte
 */

/** @typedef {ReturnType<typeof hexPane>} HexPane */

/** Where a row's bytes are and what stands in it. @param {number} row @param {number} size @returns {[number, number]} */
export function rowRange(row, size) {
  return [row * ROW, Math.min(size, (row + 1) * ROW)];
}

/** @param {number} byte */
export function printable(byte) {
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·";
}

/** Where the keyboard leads. @param {string} key @param {boolean} whole  Ctrl or Cmd held @param {number} at @param {number} size @param {number} page @returns {number | null} */
export function moved(key, whole, at, size, page) {
  /** @type {Record<string, number>} */
  const to = {
    ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - ROW, ArrowDown: at + ROW, PageUp: at - page * ROW, PageDown: at + page * ROW,
    Home: whole ? 0 : at - (at % ROW), End: whole ? size - 1 : at - (at % ROW) + ROW - 1,
  };
  return key in to ? Math.max(0, Math.min(size - 1, to[key])) : null;
}

/** @param {string} hex @returns {Uint8Array} */
export function fromHex(hex) {
  const out = new Uint8Array(hex.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return out;
}

/** @param {Uint8Array} bytes */
export function toHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

let panes = 0;

/** @param {HexOptions} options */
export function hexPane({ size, read, label, tint = () => "", onSelect, onHover, onOpen }) {
  const prefix = `nw-hex-${++panes}`;
  const count = Math.ceil(size / ROW);
  const digits = Math.max(4, (size - 1).toString(16).length);
  const full = Math.min(LIMIT, count * HEIGHT);
  const window_ = el("div", { class: "hexrows", role: "rowgroup" });
  const run = el("div", { class: "hexrun", role: "presentation" }, window_);
  const node = el("div", { class: "hexpane", role: "grid", tabindex: "0", "aria-label": label, "aria-rowcount": count }, run);
  run.style.height = `${full}px`;
  if (full < 340) node.style.height = `${full + 8}px`;
  /** @type {[number, number]} */ let selected = [0, 0];
  /** @type {[number, number]} */ let hovered = [0, 0];
  let cursor = -1;
  let first = -1;
  let drawing = 0;

  const shown = () => Math.max(1, Math.floor((node.clientHeight || 340) / HEIGHT));
  const hidden = () => Math.max(1, count - shown());
  const stretched = () => count * HEIGHT > LIMIT;
  const top = () => stretched() ? Math.round((node.scrollTop / Math.max(1, full - node.clientHeight)) * hidden()) : Math.floor(node.scrollTop / HEIGHT);

  /** @param {Element} cell @param {number} at */
  const paint = (cell, at) => {
    const c = cell.classList;
    c.toggle("sl", at >= selected[0] && at < selected[1]);
    c.toggle("hv", at >= hovered[0] && at < hovered[1]);
    c.toggle("cur", at === cursor);
  };
  const repaint = () => {
    for (const cell of window_.querySelectorAll("[data-at]")) paint(cell, Number(cell.getAttribute("data-at")));
    if (cursor >= 0) node.setAttribute("aria-activedescendant", `${prefix}-${cursor}`);
  };

  /** @param {number} row @param {Uint8Array} bytes @param {number} from */
  const drawRow = (row, bytes, from) => {
    const [start, end] = rowRange(row, size);
    const line = el("div", { class: "r", role: "row", "aria-rowindex": row + 1 },
      el("span", { class: "off", role: "rowheader" }, start.toString(16).padStart(digits, "0")));
    const text = el("span", { class: "asc", role: "gridcell" });
    for (let at = start; at < end; at++) {
      const byte = bytes[at - from];
      const cell = el("b", { role: "gridcell", id: `${prefix}-${at}`, "data-at": at, class: tint(at) }, byte.toString(16).padStart(2, "0"));
      const letter = el("u", { "data-at": at }, printable(byte));
      paint(cell, at);
      paint(letter, at);
      line.append(cell);
      text.append(letter);
    }
    for (let pad = end; pad < start + ROW; pad++) line.append(el("b", { role: "presentation" }));
    line.append(text);
    return line;
  };

  const draw = async () => {
    const mine = ++drawing;
    const at = Math.max(0, top() - SPARE);
    const last = Math.min(count, at + shown() + 2 * SPARE);
    const got = read(at * ROW, Math.min(size, last * ROW));
    const bytes = got instanceof Uint8Array ? got : await got;
    if (mine !== drawing || !bytes) return;
    first = at;
    const offset = stretched() ? node.scrollTop - (top() - at) * HEIGHT : at * HEIGHT;
    window_.style.transform = `translateY(${offset}px)`;
    const lines = [];
    for (let row = at; row < last; row++) lines.push(drawRow(row, bytes, at * ROW));
    window_.replaceChildren(...lines);
    repaint();
  };

  /** @param {number} at */
  const reveal = (at) => {
    const row = Math.floor(at / ROW);
    const [low, high] = [top(), top() + shown() - 1];
    if (row >= low && row < high) return;
    const wanted = Math.max(0, row - Math.floor(shown() / 3));
    node.scrollTop = stretched() ? (wanted / hidden()) * (full - node.clientHeight) : wanted * HEIGHT;
    void draw();
  };

  /** @param {Event} event */
  const under = (event) => {
    const cell = event.target instanceof Element ? event.target.closest("[data-at]") : null;
    return cell ? Number(cell.getAttribute("data-at")) : -1;
  };
  node.addEventListener("scroll", () => { if (top() - SPARE !== first) void draw(); }, { passive: true });
  node.addEventListener("mouseover", (event) => onHover?.(under(event)));
  node.addEventListener("mouseleave", () => onHover?.(-1));
  // The browser's own selection of text, begun by Shift and the mouse, would lie over ours.
  node.addEventListener("mousedown", (event) => { if (event.shiftKey) event.preventDefault(); });
  node.addEventListener("click", (event) => {
    const at = under(event);
    if (at < 0) return;
    const start = event.shiftKey && cursor >= 0 ? Math.min(cursor, at) : at;
    onSelect?.([start, Math.max(at, event.shiftKey ? cursor : at) + 1], at);
  });
  node.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && cursor >= 0) {
      event.preventDefault();
      event.stopPropagation();
      return onOpen?.(cursor);
    }
    const to = moved(event.key, event.ctrlKey || event.metaKey, Math.max(0, cursor), size, shown());
    if (to === null) return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.shiftKey) return onSelect?.([to, to + 1], to);
    const anchor = selected[0] === cursor ? selected[1] - 1 : selected[0];
    return onSelect?.([Math.min(anchor, to), Math.max(anchor, to) + 1], to);
  });
  // The pane has its height only once it is in the page.
  new ResizeObserver(() => void draw()).observe(node);
  void draw();

  return {
    node,
    /** Show a range as selected, with the cursor on one of its bytes. @param {[number, number]} range @param {number} [at] */
    select(range, at = range[0]) {
      selected = range;
      cursor = at;
      reveal(at);
      repaint();
    },
    /** @param {[number, number]} range */
    hover(range) { hovered = range; repaint(); },
  };
}
