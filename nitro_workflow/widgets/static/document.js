// @ts-check
// An attestation document: twelve checks, each linked to its bytes; fields and bytes as one; change a byte, and see what breaks.
import { asked, code, copyButton, digest, el, fold, groupsOf, head, icon, MARKS, picture, rows, roving, size, svg } from "./common.js";
import { fromHex, hexPane, toHex } from "./hex.js";
import { pathTo, tree } from "./tree.js";

/** @typedef {import("./common.js").Host} Host */
/** @typedef {import("./tree.js").TreeNode & { content: number, says: string, head: string, shape: string, children: Field[] }} Field */
/**
 * @typedef {{ id: string, short: string, title: string, tone: import("./common.js").Tone, outcome: string, expected: string, where: string,
 *   clause: string, detail: string[], next: string, spans: [number, number][] }} Check
 */
/**
 * @typedef {{ head: import("./common.js").Head, root: { name: string, fingerprint: import("./common.js").Digest }, summary: string, checks: Check[],
 *   fields: Field[], map: { label: string, start: number, end: number, tint: string }[], data: string, checked_at: string, diagnostic: string,
 *   recipes: { title: string, commands: string, prints: string }[] }} DocumentModel
 */

const BATCH = 64; // bytes flipped in one question about coverage

/** @param {Uint8Array} bytes */
export function asBase64(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/** Bytes as a literal of Python. @param {Uint8Array} bytes */
export function asPython(bytes) {
  return `bytes.fromhex("${toHex(bytes)}")`;
}

/** Which tint a byte has: that of the innermost field that has one. @param {Field[]} fields @param {number} length */
export function tints(fields, length) {
  const out = new Uint8Array(length);
  /** @param {Field[]} list @param {number} above */
  const paint = (list, above) => {
    for (const field of list) {
      const own = field.tint ? Number(field.tint.slice(1)) : above;
      if (own) out.fill(own, field.start, field.end);
      if (field.children.length && !field.tint) paint(field.children, own);
    }
  };
  paint(fields, 0);
  return out;
}

/** @param {Check} check @param {boolean} asButton @param {() => void} [pick] */
function tick(check, asButton, pick) {
  const kind = { good: "ok", bad: "bad", neutral: "sk", warning: "bad" }[check.tone];
  const words = { good: "passed", bad: "failed", neutral: "not asked", warning: "failed" }[check.tone];
  if (!asButton) return el("span", { class: `ck ${kind}`, title: `${check.short}: ${words}` }, icon(check.tone));
  return el("button", { type: "button", class: `ck ${kind}`, "aria-expanded": "false", "aria-label": `${check.short}: ${words}`, title: check.title, onclick: pick },
    icon(check.tone), el("span", {}, check.short));
}

/** What a check found, and what it wanted. @param {Check} check */
function found(check) {
  return el("div", {}, el("div", {}, check.outcome),
    check.expected && el("div", { class: "note" }, "expected: ", code(check.expected)),
    check.where && el("div", { class: "note" }, "at ", code(check.where)),
    ...check.detail.map((line) => el("div", { class: "note" }, line)),
    check.next && el("div", {}, "Next: ", el("b", {}, check.next)));
}

/** @param {Check[]} checks */
function allChecks(checks) {
  const lines = checks.map((check, at) => [
    el("span", { class: `t-${check.tone}` }, `${MARKS[check.tone]} ${at + 1}`),
    el("span", {}, el("b", {}, check.title), el("br"), el("span", { class: "note" }, check.clause)), found(check)]);
  return el("div", { class: "part", hidden: true }, rows(["", "check", "what was found"], lines, "The twelve checks"));
}

/** @param {DocumentModel} m @param {Host} host */
export function draw(m, host) {
  const data = fromHex(m.data);
  const ground = tints(m.fields, data.length);
  /** @type {[number, number]} */
  let selected = [0, 0];
  let cursor = -1;
  let quiet = false; // while the first selection is made, which nobody asked for

  const trail = el("ol", { "aria-label": "Path of the selection" });
  const range = el("span", { class: "at" });
  const chosen = el("section", { class: "part", "aria-label": "The selected bytes" });
  const change = host.ask ? changer(m, data, host) : null;

  const fields = m.fields.length ? tree({
    nodes: m.fields, label: "Fields",
    onSelect: (path) => { const field = /** @type {Field} */ (path[path.length - 1]); select([field.start, field.end], field.content < field.end ? field.content : field.start, path); },
    onHover: (field) => { bytes.hover(field ? [field.start, field.end] : [0, 0]); },
  }) : null;
  const bytes = hexPane({
    size: data.length, read: (start, end) => data.subarray(start, end), label: `Bytes of the document, ${data.length}`,
    tint: (at) => (ground[at] ? `f${ground[at]}` : ""),
    onSelect: (span, at) => select(span, at, pathTo(m.fields, at)),
    onHover: (at) => { const path = at < 0 ? [] : pathTo(m.fields, at); hover(path[path.length - 1] ?? null); },
    onOpen: (at) => { const path = pathTo(m.fields, at); const last = path[path.length - 1]; if (last) { fields?.show(last, path.slice(0, -1), true); select([last.start, last.end], at, path); } },
  });
  /** @param {import("./tree.js").TreeNode | null} field */
  const hover = (field) => {
    fields?.hover(field);
    bytes.hover(field ? [field.start, field.end] : [0, 0]);
  };

  /** The one selection: tree, map, hex, path and what is said of it. @param {[number, number]} span @param {number} at @param {import("./tree.js").TreeNode[]} path */
  const select = (span, at, path) => {
    const name = nameOf(path);
    selected = span;
    cursor = at;
    bytes.select(span, at);
    const last = /** @type {Field | undefined} */ (path[path.length - 1]);
    if (last) fields?.show(last, path.slice(0, -1));
    trail.replaceChildren(...["document", ...path.map((field) => field.label)].map((name, depth) => el("li", {},
      el("button", { type: "button", class: "link", onclick: () => {
        const to = path.slice(0, depth);
        const field = to[to.length - 1];
        select(field ? [field.start, field.end] : [0, data.length], field?.start ?? 0, to);
      } }, name))));
    range.textContent = `bytes ${span[0]}–${span[1] - 1} · ${span[1] - span[0]} long`;
    map.show(span, at);
    cover?.show(at);
    chosen.replaceChildren(...describe(last, span, nameOf(path)));
    change?.show(at, name);
    if (!quiet) host.say(`${name}, bytes ${span[0]} to ${span[1] - 1}, byte ${at} is ${toHex(data.subarray(at, at + 1))}`);
  };

  /** Select a field or another range: the cursor goes to the first byte of the value. @param {[number, number]} span */
  const selectAll = (span) => {
    const path = pathTo(m.fields, span[0]).filter((field) => field.start <= span[0] && field.end >= span[1]);
    const last = /** @type {Field | undefined} */ (path[path.length - 1]);
    const whole = last && last.start === span[0] && last.end === span[1] && last.content < last.end;
    select(span, whole ? last.content : span[0], path);
  };

  /** @param {Field | undefined} field @param {[number, number]} span @param {string} name */
  const describe = (field, span, name) => {
    const whole = field && span[0] === field.start && span[1] === field.end;
    const from = whole && field.shape ? field.content : span[0];
    const held = data.subarray(from, span[1]);
    const shown = whole ? value(field, held) : el("code", { class: "hx" }, groupsOf(toHex(held.subarray(0, 96))).join(" ") + (held.length > 96 ? " …" : ""));
    const facts = el("dl", { class: "kv" });
    for (const [label, kid] of /** @type {[string, Node | string][]} */ ([["is", whole ? field.says : `${size(held.length)}${field ? ` in ${name}` : ""}`], ["value", shown], ["encoded", whole ? field.head : ""]])) {
      if (kid) facts.append(el("dt", {}, label), el("dd", {}, kid));
    }
    return [el("h4", { class: "title" }, `Selected: ${name}`), facts,
      el("div", { class: "copy" }, el("span", { class: "note" }, "Copy as"),
        copyButton("hex", () => toHex(held), host), copyButton("base64", () => asBase64(held), host), copyButton("Python", () => asPython(held), host))];
  };

  const map = scale(m, (part) => select([part.start, part.end], part.start, pathTo(m.fields, part.start)));
  const cover = host.ask ? coverage(m, data, host, (at) => select([at, at + 1], at, pathTo(m.fields, at))) : null;
  const list = allChecks(m.checks);
  const said = el("div", { class: "part said", hidden: true });
  const strip = el("div", { class: "strip", role: "group", "aria-label": "The twelve checks" });
  let open = "";
  strip.append(...m.checks.map((check) => {
    const button = tick(check, true, () => {
      open = open === check.id ? "" : check.id;
      for (const other of strip.children) other.setAttribute("aria-expanded", String(other === button && open !== ""));
      said.hidden = !open;
      said.replaceChildren(el("h4", { class: "title" }, check.title), found(check), el("div", { class: "note" }, check.clause));
      const span = check.spans[0];
      if (open && span) selectAll(span);
      if (open) host.say(`${check.title}: ${check.outcome}`);
    });
    return button;
  }));
  roving(strip, "button");
  const all = el("button", { type: "button", class: "link", "aria-expanded": "false", onclick: () => {
    list.hidden = !list.hidden;
    all.setAttribute("aria-expanded", String(!list.hidden));
    all.textContent = list.hidden ? "Show all twelve" : "Hide the twelve";
  } }, "Show all twelve");

  const start = firstSpan(m);
  const card = el("article", { class: "card document", "aria-label": "Attestation document" },
    head(m.head, el("div", { class: "aside" },
      el("div", {}, el("div", { class: "what" }, "Trust root in force"), el("div", {}, el("b", {}, m.root.name)), el("div", { class: "what" }, digest(m.root.fingerprint, 2, false))),
      picture(m.root.fingerprint.picture))),
    el("div", {}, el("div", { class: "sum" }, el("span", {}, `${m.summary} Judged ${m.checked_at}.`), judging(host), all), strip),
    said, list, m.map.length ? map.node : null,
    el("div", { class: "bc" }, trail, range),
    el("div", { class: "two" }, fields?.node, bytes.node),
    el("div", { class: "low" }, chosen, change?.node ?? el("section", { class: "part" }, el("p", { class: "note" }, "Changing a byte needs Python: open this document with inspect() in a notebook, or with nitro-workflow inspect."))),
    cover?.node,
    el("div", { class: "part" },
      fold("In diagnostic notation (RFC 8949 §8)", el("pre", {}, m.diagnostic), copyButton("notation", () => m.diagnostic, host)),
      fold("Do the checks again with openssl and cbor2", el("p", { class: "note" }, "Save the raw bytes as document.bin; needs openssl and Python with cbor2."),
        ...m.recipes.map((recipe) => el("div", {}, el("h4", { class: "title" }, recipe.title), el("pre", {}, recipe.commands),
          recipe.prints && el("p", { class: "note" }, "prints ", code(recipe.prints)), copyButton("commands", () => recipe.commands, host))))));
  requestAnimationFrame(() => { if (start && cursor < 0 && selected[1] === 0) { quiet = true; selectAll(start); quiet = false; } });
  return card;
}

/** A field's name with what it is an entry of: `pcrs[0]`. @param {import("./tree.js").TreeNode[]} path */
export function nameOf(path) {
  const [above, last] = [path[path.length - 2], path[path.length - 1]];
  if (!last) return "the document";
  return last.label.startsWith("[") && above ? above.label + last.label : last.label;
}

/** Where a reader begins: at the bytes of what failed, or at the first PCR. @param {DocumentModel} m @returns {[number, number] | null} */
export function firstSpan(m) {
  const bad = m.checks.find((check) => check.tone === "bad" && check.spans.length);
  if (bad) return bad.spans[0];
  const pcrs = m.map.find((part) => part.tint === "f2");
  if (!pcrs) return m.data ? [0, 1] : null;
  const path = pathTo(m.fields, pcrs.start + 8);
  const field = path[path.length - 1];
  return field ? [field.start, field.end] : [pcrs.start, pcrs.end];
}

/** A field's value in full: a digest in groups, text, or what the tree says. @param {Field} field @param {Uint8Array} held */
function value(field, held) {
  if (field.shape === "bytes" && held.length) {
    const hex = toHex(held.subarray(0, 96));
    if (!held.some(Boolean)) return `all zero, ${size(held.length)}`;
    return el("code", { class: "hx" }, groupsOf(hex).join(" ") + (held.length > 96 ? " …" : ""));
  }
  return code(field.value);
}

/** Judge the document at another time. @param {Host} host */
function judging(host) {
  if (!host.ask) return null;
  const button = (/** @type {string} */ name, /** @type {string} */ at) => el("button", { type: "button", class: "link", onclick: async () => {
    const model = await asked(host, "judge", { at });
    if (!model) return;
    host.redraw(model);
    host.say(`${model.head.verdict}, judged ${model.checked_at}`);
  } }, name);
  return el("span", { class: "judge" }, "Judge ", button("now", "now"), " · ", button("at its own time", "document"));
}

/** The map to scale. @param {DocumentModel} m @param {(part: DocumentModel["map"][number]) => void} pick */
function scale(m, pick) {
  const total = m.data.length / 2 || 1;
  const cursor = el("span", { class: "needle", "aria-hidden": "true" });
  const parts = m.map.map((part) => {
    const share = (100 * (part.end - part.start)) / total;
    const button = el("button", { type: "button", class: part.tint, title: `${part.label}, ${size(part.end - part.start)}`, "aria-label": `${part.label}, ${size(part.end - part.start)}`, onclick: () => pick(part) },
      share > 6 ? part.label : "");
    button.style.left = `${(100 * part.start) / total}%`;
    button.style.width = `${share}%`;
    return button;
  });
  const bar = el("div", { class: "mapbar", role: "group", "aria-label": "Parts of the document" }, ...parts, cursor);
  roving(bar, "button");
  return {
    node: el("div", { class: "map quiet" }, el("span", { class: "note" }, "to scale"), bar),
    /** @param {[number, number]} span @param {number} at */
    show(span, at) {
      cursor.style.left = `${(100 * at) / total}%`;
      m.map.forEach((part, index) => parts[index].classList.toggle("on", at >= part.start && at < part.end && span[1] - span[0] < total));
    },
  };
}

/** Change one byte, and see what breaks. @param {DocumentModel} m @param {Uint8Array} data @param {Host} host */
function changer(m, data, host) {
  let at = 0;
  let asking = 0;
  const before = el("span", { class: "byte" });
  const after = /** @type {HTMLInputElement} */ (el("input", { class: "byte b2", maxlength: "2", size: "2", "aria-label": "New value of the byte, two hex digits", spellcheck: "false" }));
  const where = el("span", { class: "note" });
  const mini = el("div", { class: "mini", role: "img", "aria-label": "not asked yet" });
  const broken = el("div");
  const said = el("p", { class: "note" });
  const bits = el("div", { class: "bits8", role: "group", "aria-label": "Flip a bit" }, ...[7, 6, 5, 4, 3, 2, 1, 0].map((bit) =>
    el("button", { type: "button", title: `flip bit ${bit}`, "aria-label": `flip bit ${bit}`, onclick: () => set(parseInt(after.value || "0", 16) ^ (1 << bit)) }, String(bit))));
  roving(bits, "button");
  const node = el("section", { class: "part", "aria-label": "Change this byte" },
    el("h4", { class: "title" }, "Change this byte: what breaks?"), el("div", { class: "bits" }, before, icon("arrow"), after, where), bits, mini, broken, said);
  /** @param {boolean} [aloud]  whether the reader changed it; who only walks hears of the selection */
  const ask = async (aloud = true) => {
    const mine = ++asking;
    const answer = await asked(host, "change", { at, value: parseInt(after.value, 16) });
    if (mine !== asking || !answer) return;
    /** @type {Check[]} */
    const checks = answer.checks;
    const now = checks.filter((check, index) => check.tone === "bad" && m.checks[index]?.tone !== "bad");
    mini.replaceChildren(...checks.map((check) => tick(check, false)));
    mini.setAttribute("aria-label", answer.said);
    broken.replaceChildren(...now.map((check) => el("div", { class: "br" }, icon("bad"), el("b", { class: "t-bad" }, check.short), el("span", {}, check.outcome), el("div", { class: "note" }, `expected: ${check.expected}`))));
    said.textContent = answer.said;
    if (aloud) host.say(answer.said);
  };
  /** @param {number} next */
  const set = (next) => {
    after.value = (next & 255).toString(16).padStart(2, "0");
    bits.querySelectorAll("button").forEach((button, index) => button.setAttribute("aria-pressed", String(Boolean((next ^ data[at]) & (128 >> index)))));
    void ask();
  };
  after.addEventListener("keydown", (event) => event.stopPropagation());
  after.addEventListener("input", () => { if (/^[0-9a-f]{2}$/i.test(after.value)) set(parseInt(after.value, 16)); });
  let timer = 0;
  return {
    node,
    /** @param {number} to @param {string} label */
    show(to, label) {
      at = to;
      before.textContent = toHex(data.subarray(at, at + 1));
      after.value = (data[at] ^ 1).toString(16).padStart(2, "0");
      where.textContent = `byte ${at}, in ${label}`;
      bits.querySelectorAll("button").forEach((button, index) => button.setAttribute("aria-pressed", String(index === 7)));
      clearTimeout(timer);
      timer = setTimeout(() => void ask(false), 120); // whoever walks with the arrows asks once, where they stop
    },
  };
}

/** Every byte flipped in turn: which checks notice. @param {DocumentModel} m @param {Uint8Array} data @param {Host} host @param {(at: number) => void} pick */
function coverage(m, data, host, pick) {
  const shown = m.checks.map((check, index) => ({ check, index })).filter(({ check }) => check.tone === "good");
  const failed = new Uint16Array(data.length);
  const lost = new Uint16Array(data.length);
  const said = el("p", { class: "note" }, `Flips the lowest bit of each of the ${size(data.length)}, one at a time, and runs all checks.`);
  const lanes = el("div", { class: "lanes12", hidden: true });
  const canvases = shown.map(({ check, index }) => {
    const canvas = svg("svg", { viewBox: `0 0 ${data.length} 10`, preserveAspectRatio: "none", role: "img", "aria-label": `${check.short}: which bytes it notices` });
    canvas.addEventListener("click", (event) => { const box = canvas.getBoundingClientRect(); pick(Math.min(data.length - 1, Math.floor(((/** @type {MouseEvent} */ (event)).clientX - box.left) / box.width * data.length))); });
    lanes.append(el("span", {}, check.short), canvas);
    return { canvas, bit: 1 << index };
  });
  const needle = el("span", { class: "needle", "aria-hidden": "true" });
  const wrap = el("div", { class: "cover" }, lanes, needle);
  /** @param {number} end */
  const paint = (end) => {
    for (const { canvas, bit } of canvases) {
      canvas.replaceChildren(svg("path", { class: "hit", d: runs(failed, bit, end, 0, 10) }), svg("path", { class: "dim", d: runs(lost, bit, end, 4, 2) }));
    }
  };
  let running = false;
  const run = async () => {
    if (running) { running = false; return; }
    running = true;
    lanes.hidden = false;
    button.lastChild?.replaceWith("Stop");
    let end = 0;
    while (running && end < data.length && !host.signal.aborted) {
      const answer = /** @type {[number, number][] | null} */ (await asked(host, "coverage", { start: end, count: BATCH }));
      if (!answer) break;
      answer.forEach(([bad, gone], offset) => { failed[end + offset] = bad; lost[end + offset] = gone; });
      end += answer.length;
      paint(end);
      const missed = failed.subarray(0, end).reduce((sum, mask) => sum + Number(mask === 0), 0);
      said.textContent = `${end.toLocaleString("en")} of ${data.length.toLocaleString("en")} bytes flipped; ${missed ? `${missed} passed unnoticed` : "none passed unnoticed"}. A full bar is a check that then fails, a thin line one that could not run.`;
    }
    host.say(said.textContent ?? "");
    running = false;
    button.lastChild?.replaceWith("Flip every byte");
  };
  const button = el("button", { type: "button", onclick: run }, icon("play"), "Flip every byte");
  return {
    node: el("section", { class: "part quiet", "aria-label": "Every byte" }, el("h4", { class: "title" }, "Is every byte covered?"), said, button, wrap),
    /** @param {number} at */
    show(at) { needle.style.left = `calc(90px + (100% - 90px) * ${at / data.length})`; needle.hidden = lanes.hidden; },
  };
}

/** Runs of bytes whose mask has a bit, as a path. @param {Uint16Array} masks @param {number} bit @param {number} end @param {number} y @param {number} height */
export function runs(masks, bit, end, y, height) {
  let d = "";
  for (let at = 0; at < end; at++) {
    if (!(masks[at] & bit)) continue;
    const from = at;
    while (at < end && masks[at] & bit) at++;
    d += `M${from} ${y}h${at - from}v${height}h${from - at}z`;
  }
  return d;
}
