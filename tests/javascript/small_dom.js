// As much of a page as the live forms need to be drawn without one: elements, text, events, simple selectors.
const VOID = () => {};

class SmallNode {
  constructor() { this.childNodes = []; this.parentElement = null; }
  get textContent() { return this.childNodes.map((kid) => kid.textContent).join(""); }
  set textContent(text) { this.replaceChildren(...(text ? [text] : [])); }
  get lastChild() { return this.childNodes.at(-1) ?? null; }
  append(...kids) {
    for (const kid of kids) {
      const node = kid instanceof SmallNode ? kid : new SmallText(String(kid));
      node.remove();
      node.parentElement = this;
      this.childNodes.push(node);
    }
  }
  replaceChildren(...kids) {
    for (const kid of [...this.childNodes]) kid.remove();
    this.append(...kids);
  }
  remove() {
    if (this.parentElement) this.parentElement.childNodes = this.parentElement.childNodes.filter((kid) => kid !== this);
    this.parentElement = null;
  }
}

class SmallText extends SmallNode {
  constructor(text) { super(); this.data = text; }
  get textContent() { return this.data; }
}

/** One simple selector: a tag, a class, attributes. */
function fits(node, selector) {
  const parts = selector.match(/^[\w-]+|\.[\w-]+|\[[^\]]+\]/g) ?? [];
  return parts.every((part) => {
    if (part[0] === ".") return node.className.split(" ").includes(part.slice(1));
    if (part[0] !== "[") return node.tagName === part;
    const [name, value] = part.slice(1, -1).split("=");
    return value === undefined ? node.hasAttribute(name) : node.getAttribute(name) === value.replaceAll('"', "");
  });
}

export class SmallElement extends SmallNode {
  constructor(tagName) {
    super();
    Object.assign(this, { tagName, attributes: new Map(), listeners: {}, hidden: false, tabIndex: -1, value: "", checked: false });
  }
  setAttribute(name, value) {
    this.attributes.set(name, value);
    if (name === "value") this.value = value;
    if (name === "checked") this.checked = true;
    if (name === "hidden") this.hidden = true;
  }
  getAttribute(name) { return this.attributes.get(name) ?? null; }
  hasAttribute(name) { return this.attributes.has(name); }
  removeAttribute(name) { this.attributes.delete(name); }
  get className() { return this.getAttribute("class") ?? ""; }
  set className(text) { this.setAttribute("class", text); }
  get classList() {
    const has = () => this.className.split(" ").filter(Boolean);
    return { toggle: (name, on) => { this.className = [...has().filter((one) => one !== name), ...(on ? [name] : [])].join(" "); } };
  }
  addEventListener(name, listener) { (this.listeners[name] ??= []).push(listener); }
  /** Tell the listeners of this element and of those around it. */
  async tell(name, more = {}) {
    const event = { target: this, preventDefault: VOID, stopPropagation: VOID, ...more };
    for (let node = this; node; node = node.parentElement) for (const listener of node.listeners[name] ?? []) await listener(event);
  }
  click() { return this.tell("click"); }
  press(key) { return this.tell("keydown", { key }); }
  focus() { document.activeElement = this; }
  closest(selector) { return fits(this, selector) ? this : this.parentElement?.closest(selector) ?? null; }
  querySelectorAll(selector) {
    return this.childNodes.filter((kid) => kid instanceof SmallElement).flatMap((kid) => [...(fits(kid, selector) ? [kid] : []), ...kid.querySelectorAll(selector)]);
  }
  querySelector(selector) { return this.querySelectorAll(selector)[0] ?? null; }
}

globalThis.document = { activeElement: null, createElement: (tag) => new SmallElement(tag), createElementNS: (_, tag) => new SmallElement(tag) };

/** Draw a model; returns its card, what was said, what was asked, and the models drawn in its place. */
export function drawn(draw, model, answer = null) {
  const told = { said: [], asked: [], redrawn: [] };
  const host = {
    ask: answer && (async (question, values) => { told.asked.push([question, values]); return answer(question, values); }),
    say: (text) => told.said.push(text), redraw: (next) => told.redrawn.push(next), signal: new AbortController().signal, draws: {},
  };
  return { card: draw(model, host), ...told };
}

/** The one button, or other element, whose text has these words. */
export function named(card, words, tag = "button") {
  const found = card.querySelectorAll(tag).filter((one) => one.textContent.includes(words));
  if (found.length !== 1) throw new Error(`${found.length} of ${tag} say ${words}`);
  return found[0];
}
