// @ts-check
// One renderer for each kind of model. Texts may come from an attacker: textContent only, never markup.

/** @param {string} tag @param {Record<string, any>} [props] @param {...(Node|string|null)} kids */
function el(tag, props = {}, ...kids) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== "") node.setAttribute(name, String(value));
  }
  node.append(...kids.filter((kid) => kid !== null && kid !== ""));
  return node;
}

const MARKS = { good: "✓ ", bad: "✗ ", warning: "! ", neutral: "" };
const ROW = 16;

function headline(m) {
  return [
    el("h3", { text: m.title }),
    m.verdict ? el("p", { class: `verdict ${m.tone}`, text: MARKS[m.tone] + m.verdict }) : null,
  ];
}

function marked(text, difference) {
  const code = el("code", { text: difference < 0 ? text : text.slice(0, difference) });
  if (difference >= 0) code.append(el("mark", { text: text.slice(difference), title: "differs from here" }));
  return code;
}

function foundExpected(check) {
  const rows = [];
  for (const label of ["found", "expected"]) {
    if (check[label]) rows.push(el("div", {}, `${label}: `, el("code", { text: check[label] })));
  }
  return rows;
}

function checks(list) {
  if (!list.length) return null;
  const rows = list.map((check) =>
    el("tr", {},
      el("td", { class: check.tone, text: MARKS[check.tone] + check.title }),
      el("td", { text: check.outcome }, ...(["bad", "warning"].includes(check.tone) ? foundExpected(check) : []))));
  return el("table", { "aria-label": "Checks" }, el("tbody", {}, ...rows));
}

// ---- inspection: verdict, checks, tree and hex, linked by a byte range ----

function tree(nodes, select) {
  /** @type {HTMLElement[]} */
  const items = [];
  const make = (node, level) => {
    const item = el("li", {
      role: "treeitem", tabindex: "-1", "aria-level": level, "aria-selected": "false",
      "aria-expanded": node.children.length ? String(level < 2) : undefined,
    }, el("span", { class: "item" },
      el("b", { text: node.label }), " ", el("code", { text: node.value }),
      node.note ? el("i", { text: ` (${node.note})` }) : null));
    if (node.children.length) item.append(el("ul", { role: "group" }, ...node.children.map((kid) => make(kid, level + 1))));
    item.querySelector(".item")?.addEventListener("click", (event) => {
      event.stopPropagation();
      if (item.hasAttribute("aria-expanded")) toggle(item);
      choose(item);
    });
    Object.assign(item, { range: [node.start, node.end], label: node.label });
    items.push(item);
    return item;
  };
  const toggle = (item, open = item.getAttribute("aria-expanded") !== "true") => item.setAttribute("aria-expanded", String(open));
  const choose = (item) => {
    for (const other of items) {
      other.setAttribute("aria-selected", String(other === item));
      other.tabIndex = other === item ? 0 : -1;
    }
    item.focus();
    select(item.range, item.label);
  };
  const root = el("ul", { role: "tree", "aria-label": "Fields" }, ...nodes.map((node) => make(node, 1)));
  if (root.firstElementChild) /** @type {HTMLElement} */ (root.firstElementChild).tabIndex = 0;
  root.addEventListener("keydown", (event) => {
    const visible = [...root.querySelectorAll('[role="treeitem"]')].filter((item) => !item.parentElement?.closest('[aria-expanded="false"]'));
    const at = visible.indexOf(/** @type {any} */ (document.activeElement));
    if (at < 0) return;
    const item = visible[at];
    const open = item.getAttribute("aria-expanded");
    const go = {
      ArrowDown: () => visible[at + 1], ArrowUp: () => visible[at - 1],
      Home: () => visible[0], End: () => visible[visible.length - 1],
      ArrowRight: () => (open === "false" ? (toggle(item, true), item) : open === "true" ? visible[at + 1] : null),
      ArrowLeft: () => (open === "true" ? (toggle(item, false), item) : item.parentElement?.closest('[role="treeitem"]')),
      Enter: () => (open !== null && toggle(item), item), " ": () => (open !== null && toggle(item), item),
    }[event.key];
    if (!go) return;
    event.preventDefault();
    event.stopPropagation();
    const next = go();
    if (next) choose(next);
  });
  return root;
}

function hexPane(hex) {
  const bytes = hex.match(/../g) ?? [];
  const cells = [];
  const rows = [];
  for (let start = 0; start < bytes.length; start += ROW) {
    const row = el("div", { class: "hexrow" }, el("span", { class: "offset", text: start.toString(16).padStart(6, "0") + "  " }));
    for (const byte of bytes.slice(start, start + ROW)) {
      const cell = el("span", { text: byte + " " });
      cells.push(cell);
      row.append(cell);
    }
    rows.push(row);
  }
  const pane = el("div", { class: "pane hex", role: "region", "aria-label": `Bytes, ${bytes.length}`, tabindex: "0" }, ...rows);
  const show = ([start, end]) => {
    cells.forEach((cell, index) => cell.classList.toggle("on", index >= start && index < end));
    const row = rows[Math.floor(start / ROW)];
    if (row) pane.scrollTop = row.offsetTop - pane.offsetTop - 60;
  };
  return { pane, show };
}

function inspection(m, api) {
  const said = el("div", { class: "live", "aria-live": "polite" });
  const hex = m.data ? hexPane(m.data) : null;
  const select = (range, label) => {
    hex?.show(range);
    said.textContent = `${label}, bytes ${range[0]} to ${range[1]}`;
    api.set("selection", range);
  };
  const fields = m.nodes.length ? el("div", { class: "pane" }, tree(m.nodes, select)) : null;
  return [
    ...headline(m), m.trust ? el("p", { class: "trust", text: m.trust }) : null, checks(m.checks),
    hex && fields ? el("div", { class: "panes" }, fields, hex.pane) : fields,
    m.detail ? el("details", {}, el("summary", { text: "The whole explanation" }), el("pre", { text: m.detail })) : null, said,
  ];
}

// ---- table: values side by side ----

function table(m) {
  const rows = m.rows.map((row) =>
    el("tr", {},
      el("th", { scope: "row", class: row.tone }, MARKS[row.tone] + row.label, row.note ? el("div", { class: "note", text: row.note }) : null),
      ...row.cells.map((cell) => el("td", { class: cell.tone }, marked(cell.text, cell.difference)))));
  const head = el("tr", {}, el("th", {}), ...m.columns.map((name) => el("th", { scope: "col", text: name })));
  return [...headline(m), el("table", {}, el("thead", {}, head), el("tbody", {}, ...rows))];
}

// ---- choice: a question, its options or a line to write, and what is said to the answer ----

let groups = 0;

function choice(m, api) {
  const said = el("p", { class: "said", "aria-live": "polite" });
  api.follow("said", (text) => { said.textContent = text; });
  const keep = (answer) => api.set("answer", answer);
  const fields = m.options.length ? radios(m, keep) : line(m, keep);
  return [el("p", {}, el("b", { text: m.text })), fields, said];
}

function radios(m, keep) {
  const group = `nw-choice-${++groups}`;
  const options = m.options.map((option) => {
    const circle = /** @type {HTMLInputElement} */ (el("input", { type: "radio", name: group, onchange: () => keep(option) }));
    circle.checked = option === m.answer;
    circle.disabled = m.closed;
    return el("label", { class: "option" }, circle, ` ${option}`);
  });
  return el("div", { role: "radiogroup", "aria-label": m.text }, ...options);
}

function line(m, keep) {
  const input = /** @type {HTMLInputElement} */ (el("input", { type: "text", "aria-label": m.text, spellcheck: "false" }));
  input.value = m.answer;
  input.disabled = m.closed;
  // JupyterLab's own keys must not act on what is written here.
  input.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter") keep(input.value.trim());
  });
  input.addEventListener("change", () => keep(input.value.trim()));
  return input;
}

const RENDERERS = { inspection, table, choice };

/** Draw a model into `root`, and again whenever it changes; returns what ends that. */
function live(model, root) {
  /** @type {(() => void)[]} */
  let followers = [];
  const unfollow = () => { for (const end of followers) end(); followers = []; };
  const api = {
    set(name, value) { model.set(name, value); model.save_changes(); },
    follow(name, show) {
      const again = () => show(model.get(name));
      again();
      model.on(`change:${name}`, again);
      followers.push(() => model.off(`change:${name}`, again));
    },
  };
  const draw = () => {
    const m = model.get("model");
    unfollow();
    root.replaceChildren(...RENDERERS[m.kind](m, api).filter((node) => node));
  };
  draw();
  model.on("change:model", draw);
  return () => { unfollow(); model.off("change:model", draw); };
}

// ---- the place of the live form: the static HTML of the same view, in the page already or later ----

/** Every view of the page that is alive: its id, and what takes the place of its static form. */
const places = /** @type {any} */ (globalThis).nitroWorkflowViews ??= { mounts: new Map(), planned: false };

function fill() {
  places.planned = false;
  for (const host of document.querySelectorAll("[data-nw-view]:not([data-nw-live])")) {
    places.mounts.get(host.getAttribute("data-nw-view"))?.(host);
  }
}

function watch() {
  places.observer ??= new MutationObserver(() => {
    if (!places.planned) { places.planned = true; requestAnimationFrame(fill); }
  });
  places.observer.observe(document.body, { childList: true, subtree: true });
  fill();
}

/** Take the static form's place until the kernel's side of the view is gone; then give it back. */
function takePlace(model) {
  const id = model.get("view");
  const endings = new Set();
  places.mounts.set(id, (host) => {
    const still = [...host.childNodes];
    const root = el("div", { class: "nw" });
    host.setAttribute("data-nw-live", "yes");
    const end = live(model, root);
    host.replaceChildren(root);
    endings.add(() => { end(); host.replaceChildren(...still); host.removeAttribute("data-nw-live"); });
  });
  const leave = () => {
    places.mounts.delete(id);
    for (const end of endings) end();
    endings.clear();
  };
  model.on("comm_live_update", leave);
  watch();
  return leave;
}

export default {
  initialize({ model }) {
    return takePlace(model);
  },
  render({ model, el: host }) {
    const root = el("div", { class: "nw" });
    host.append(root);
    return live(model, root);
  },
};
