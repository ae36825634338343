import assert from "node:assert/strict";
import test from "node:test";
import { drawn, named } from "./small_dom.js";
import { draw } from "./static/step_card.js";

const tab = (name, text) => ({ name, text });
const head = { what: "D4 · cloud", verdict: "Verify the document", tone: "good", why: "Done.", next: "" };
const call = (title, tone, ...tabs) => ({ title, tone, said: tone === "bad" ? "refused: X" : "answered", source: "as the client tells it", tabs });
const MODEL = {
  head, number: "D4", basis: "observed by the cloud", notes: ["a note"], tiles: [{ label: "PCR0", digest: { hex: "ab".repeat(48), picture: null, difference: -1 } }],
  strip: [{ number: "D3", state: "done" }, { number: "D4", state: "here" }, { number: "D5", state: "to do" }], facts: [["decision", "<b>allowed</b>"]],
  exchanges: [call("first", "good", tab("boto3", "kms.decrypt()"), tab("AWS CLI", "aws kms decrypt")), call("second", "good", tab("boto3", "kms.second()"))],
  code: [["a/b.py", "f"]], openable: [["document", "the attestation document"]],
};

test("the call that is shown carries a mark, and only it", async () => {
  const { card, said } = drawn(draw, MODEL);
  const marked = () => card.querySelectorAll("button").filter((one) => one.textContent.startsWith("▸")).map((one) => one.textContent);
  assert.deepEqual(marked(), ["▸ ✓ second"]);
  assert.match(card.querySelector("pre").textContent, /kms\.second/);
  await named(card, "first").click();
  assert.deepEqual(marked(), ["▸ ✓ first"]);
  assert.equal(named(card, "first").getAttribute("aria-pressed"), "true");
  assert.equal(named(card, "second").getAttribute("aria-pressed"), "false");
  assert.deepEqual(said, ["first: answered"]);
});

test("tabs are walked by arrows, and show their text", async () => {
  const { card } = drawn(draw, { ...MODEL, exchanges: MODEL.exchanges.slice(0, 1) });
  const tabs = card.querySelectorAll('[role="tab"]');
  assert.deepEqual(tabs.map((one) => one.getAttribute("aria-selected")), ["true", "false"]);
  tabs[0].focus();
  await tabs[0].press("ArrowRight");
  assert.equal(document.activeElement, tabs[1]);
  assert.equal(card.querySelector("pre").textContent, "aws kms decrypt");
  assert.equal(card.querySelector('[role="tabpanel"]').getAttribute("aria-labelledby"), tabs[1].getAttribute("id"));
});

test("a refused call is shown first, with its sign", () => {
  const { card } = drawn(draw, { ...MODEL, exchanges: [call("no", "bad", tab("boto3", "kms.no()")), ...MODEL.exchanges] });
  assert.equal(named(card, "no").textContent, "▸ ✗ no");
});

test("markup of a record stays text", () => {
  const { card } = drawn(draw, MODEL);
  assert.equal(card.querySelectorAll("b").filter((one) => one.textContent === "allowed").length, 0);
  assert.match(card.textContent, /<b>allowed<\/b>/);
});

test("bytes are asked for where somebody answers, and a refusal is told", async () => {
  assert.equal(drawn(draw, MODEL).card.querySelectorAll("button").filter((one) => one.textContent.startsWith("Open")).length, 0);
  const { card, asked, said } = drawn(draw, MODEL, () => { throw new Error("no such bytes"); });
  await named(card, "Open: the attestation document").click();
  assert.deepEqual(asked, [["open", { name: "document" }]]);
  assert.equal(card.querySelector(".opened").hidden, true);
  assert.deepEqual(said, ["no such bytes"]);
});

test("a step without a call says so", () => {
  assert.match(drawn(draw, { ...MODEL, exchanges: [] }).card.textContent, /No call left this party/);
});
