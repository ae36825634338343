// @ts-check
// The files of a ramdisk: a tree whose rows Python gives as they come into sight, a search, and an opened file.
import { code, copyButton, el, fold, mark, rows, section, size } from "./common.js";
import { chart } from "./charts.js";
import { told } from "./controls.js";
import { fromHex, hexPane } from "./hex.js";
import { virtualRows } from "./rows.js";

/** @typedef {import("./common.js").Host} Host */
/** @typedef {{ key: string, path: string, name: string, depth: number, kind: string, size: number, files: number, mode: string, target: string, open: boolean }} Row */

const HEIGHT = 24;

/** @param {Row} row @param {number} whole  bytes of the ramdisk's files */
export function rowLine(row, whole) {
  const folder = row.kind === "directory";
  const line = el("div", { "aria-level": row.depth + 1, "aria-expanded": folder ? String(row.open) : null, title: row.path });
  const bar = el("span", { class: "sizebar", "aria-hidden": "true" }, el("i"));
  /** @type {HTMLElement} */ (bar.firstChild).style.width = `${(100 * row.size) / Math.max(whole, 1)}%`;
  const name = el("span", { class: "filename" }, folder ? (row.open ? "▾ " : "▸ ") : "  ", row.name, row.target && el("span", { class: "note" }, ` → ${row.target}`));
  name.style.paddingLeft = `${Math.min(row.depth, 20) * 14}px`;
  line.append(name, el("span", { class: "note" }, folder ? `${row.files.toLocaleString("en")} ${row.files === 1 ? "file" : "files"}` : row.kind === "file" ? "" : row.kind),
    el("span", { class: "note mode" }, row.mode), bar, el("span", { class: "num" }, row.size.toLocaleString("en")));
  return line;
}

/** @param {any} got @param {Host} host */
function content(got, host) {
  const cut = got.cut && el("p", { class: "note" }, `Only the beginning is shown: ${size(got.size)}.`);
  const data = fromHex(got.data);
  const hex = () => hexPane({ size: data.length, read: (start, end) => data.subarray(start, end), label: `Bytes of ${got.path}` }).node;
  const name = el("p", {}, code(got.path), el("span", { class: "note" }, ` ${size(got.size)}`));
  if (got.text === null) return el("div", {}, name, hex(), cut);
  const bytes = el("div");
  const details = fold("as bytes", bytes);
  details.addEventListener("toggle", () => { if (!bytes.childNodes.length) bytes.append(hex()); });
  return el("div", {}, name, el("pre", { class: "opened", tabindex: "0", "aria-label": `Text of ${got.path}` }, got.text), cut, copyButton("the text", () => got.text, host), " ", details);
}

/** @param {any} m @param {Host} host */
function browser(m, host) {
  /** @type {Set<string>} */
  const opened = new Set();
  const search = /** @type {HTMLInputElement} */ (el("input", { type: "search", placeholder: "find a file", "aria-label": `Find a file in the ${m.name}`, spellcheck: "false" }));
  const place = el("p", { class: "note", role: "status" });
  const file = el("div", { class: "file" });
  const show = async (/** @type {Row} */ row) => {
    const got = await told(host, "open", { ramdisk: m.number, key: row.key }, place);
    if (!got) return;
    file.replaceChildren(content(got, host));
    host.say(`${row.path}, ${size(got.size)}`);
  };
  const list = virtualRows({
    label: `Files of the ${m.name}`, role: "tree", itemRole: "treeitem", height: HEIGHT,
    read: (start, count) => told(host, "rows", { ramdisk: m.number, open: [...opened], search: search.value, start, count }, place),
    draw: (row) => rowLine(row, m.size),
    act(row, at, key) {
      const folder = row.kind === "directory" && !search.value;
      if (!folder) { if (row.kind === "file" && key !== "ArrowLeft") show(row); return true; }
      if (key === "ArrowRight" && row.open) { list.go(at + 1); return true; }
      if (key === "ArrowLeft" && !row.open) return false;
      if (row.open) opened.delete(row.key); else opened.add(row.key);
      list.refresh();
      host.say(`${row.path} ${row.open ? "closed" : "open"}`);
      return true;
    },
    seen: (row) => host.say(`${row.path}, ${row.kind}, ${size(row.size)}`),
  });
  search.addEventListener("input", async () => { list.at(0); list.node.scrollTop = 0; await list.refresh(); place.textContent = search.value ? `${list.node.querySelectorAll("[data-at]").length ? "found" : "nothing found"}` : ""; });
  search.addEventListener("keydown", (event) => { event.stopPropagation(); if (event.key === "ArrowDown") list.node.focus(); });
  list.refresh();
  return el("div", {}, el("div", { class: "finder" }, search, place), list.node, file);
}

/** @param {any} m @param {Host} host */
export function fileTree(m, host) {
  const groups = m.groups.map((/** @type {[string, number, number]} */ [name, files, bytes]) => [code(name), files.toLocaleString("en"), bytes.toLocaleString("en")]);
  return section(`Inside the ${m.name}: ${m.files.toLocaleString("en")} files, ${size(m.size)}; width is size`,
    m.problem && el("p", {}, mark("warning", m.problem)), chart(m.chart),
    fold("as a table", rows(["folder", "files", "bytes"], groups, `Folders of the ${m.name}`)),
    host.ask && m.files > 0 && browser(m, host));
}
