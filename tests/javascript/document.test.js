import assert from "node:assert/strict";
import test from "node:test";
import { asBase64, asPython, firstSpan, nameOf, runs, tints } from "./static/document.js";

const field = (label, start, end, tint = "", children = []) => ({ label, value: "", start, content: start, end, tint, children });

test("bytes in three forms", () => {
  const bytes = Uint8Array.from([0, 255, 16]);
  assert.equal(asBase64(bytes), "AP8Q");
  assert.equal(asPython(bytes), 'bytes.fromhex("00ff10")');
});

test("a field paints its bytes, and what has no tint lets its parts paint", () => {
  const payload = field("payload", 2, 8, "", [field("pcrs", 3, 6, "f2")]);
  assert.deepEqual([...tints([field("head", 0, 2, "f1"), payload], 9)], [1, 1, 0, 2, 2, 2, 0, 0, 0]);
});

test("an entry is named after what it is in", () => {
  assert.equal(nameOf([field("payload", 0, 9), field("pcrs", 0, 9), field("[0]", 0, 9)]), "pcrs[0]");
  assert.equal(nameOf([field("nonce", 0, 9)]), "nonce");
  assert.equal(nameOf([]), "the document");
});

test("a reader begins at what failed", () => {
  const checks = [{ tone: "good", spans: [[0, 9]] }, { tone: "bad", spans: [[3, 5]] }];
  assert.deepEqual(firstSpan({ checks, map: [], fields: [], data: "00" }), [3, 5]);
  assert.deepEqual(firstSpan({ checks: [], map: [], fields: [], data: "00" }), [0, 1]);
  assert.equal(firstSpan({ checks: [], map: [], fields: [], data: "" }), null);
});

test("runs of bytes become one stroke each", () => {
  const masks = Uint16Array.from([1, 1, 0, 3, 2]);
  assert.equal(runs(masks, 1, 5, 0, 10), "M0 0h2v10h-2zM3 0h1v10h-1z");
  assert.equal(runs(masks, 4, 5, 0, 10), "");
});
