// @ts-check
// Rows of one height of which only those in sight exist; their content is asked for as they come into sight.
import { el } from "./common.js";

const SPARE = 8;
const HIGHEST = 320; // pixels of the pane
const LIMIT = 8_000_000; // pixels that browsers still scroll to

/**
 * @param {object} options
 * @param {string} options.label
 * @param {string} options.role  of the container, whose rows get `itemRole`
 * @param {string} options.itemRole
 * @param {number} options.height  pixels a row
 * @param {(start: number, count: number) => Promise<{ total: number, start: number, rows: any[] } | null>} options.read
 * @param {(row: any, at: number) => HTMLElement} options.draw
 * @param {(row: any, at: number, key: string) => boolean} options.act  Enter, a click, an arrow on a row; true: it did something
 * @param {(row: any, at: number) => void} [options.seen]  the row under the cursor
 */
export function virtualRows({ label, role, itemRole, height, read, draw, act, seen }) {
  const prefix = `nw-rows-${Math.random().toString(36).slice(2)}`;
  const list = el("div", { class: "vlist" });
  const run = el("div", { class: "vrun", role: "presentation" }, list);
  const node = el("div", { class: "vrows", role, tabindex: "0", "aria-label": label }, run);
  let total = 0;
  let cursor = 0;
  let asking = 0;
  /** @type {Map<number, any>} */
  const known = new Map();

  const page = () => Math.max(1, Math.floor(HIGHEST / height));
  const paint = () => {
    for (const row of list.children) row.toggleAttribute("data-on", Number(row.getAttribute("data-at")) === cursor);
    if (known.has(cursor)) node.setAttribute("aria-activedescendant", `${prefix}-${cursor}`);
    else node.removeAttribute("aria-activedescendant");
  };
  /** @type {Promise<void>} */
  let latest = Promise.resolve();
  const refresh = () => (latest = fetchRows());
  const fetchRows = async () => {
    const mine = ++asking;
    const start = Math.max(0, Math.floor(node.scrollTop / height) - SPARE);
    const got = await read(start, page() + 2 * SPARE);
    if (mine !== asking || !got) return;
    total = got.total;
    cursor = Math.max(0, Math.min(cursor, total - 1));
    node.style.height = `${Math.min(HIGHEST, Math.max(1, total) * height + 2)}px`;
    run.style.height = `${Math.min(LIMIT, total * height)}px`;
    node.setAttribute("aria-rowcount", String(total));
    if (role === "tree") node.removeAttribute("aria-rowcount");
    known.clear();
    list.style.transform = `translateY(${got.start * height}px)`;
    list.replaceChildren(...got.rows.map((row, index) => {
      const at = got.start + index;
      known.set(at, row);
      const line = draw(row, at);
      line.id = `${prefix}-${at}`;
      line.setAttribute("role", itemRole);
      line.setAttribute("data-at", String(at));
      line.style.height = `${height}px`;
      return line;
    }));
    paint();
  };
  /** @param {number} at */
  const go = async (at) => {
    cursor = Math.max(0, Math.min(total - 1, at));
    const top = cursor * height;
    if (top < node.scrollTop) node.scrollTop = top;
    else if (top + height > node.scrollTop + node.clientHeight) node.scrollTop = top + height - node.clientHeight;
    if (!known.has(cursor)) refresh();
    for (let seen_; seen_ !== latest; ) await (seen_ = latest); // a scroll may have asked again meanwhile
    paint();
    if (known.has(cursor)) seen?.(known.get(cursor), cursor);
  };
  node.addEventListener("scroll", refresh);
  node.addEventListener("click", (event) => {
    const line = /** @type {HTMLElement | null} */ (/** @type {HTMLElement} */ (event.target).closest("[data-at]"));
    if (!line) return;
    cursor = Number(line.dataset.at);
    paint();
    const row = known.get(cursor);
    if (row) { seen?.(row, cursor); act(row, cursor, "Enter"); }
  });
  node.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = known.get(cursor);
    /** @type {Record<string, number>} */
    const moves = { ArrowDown: cursor + 1, ArrowUp: cursor - 1, PageDown: cursor + page(), PageUp: cursor - page(), Home: 0, End: total - 1 };
    if (event.key in moves) go(moves[event.key]);
    else if (["Enter", " ", "ArrowRight", "ArrowLeft"].includes(event.key)) { if (row) act(row, cursor, event.key); }
    else if (event.key.length === 1) {
      const found = [...known].filter(([, one]) => String(one.name ?? "").toLowerCase().startsWith(event.key.toLowerCase()));
      const next = found.find(([at]) => at > cursor) ?? found[0];
      if (next) go(next[0]);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  /** @param {number} to */
  const at = (to) => { cursor = to; };
  return { node, refresh, go, at };
}
