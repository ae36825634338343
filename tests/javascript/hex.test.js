import assert from "node:assert/strict";
import test from "node:test";
import { fromHex, moved, printable, rowRange, toHex } from "./static/hex.js";

test("hex there and back", () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, at) => at);
  assert.deepEqual(fromHex(toHex(bytes)), bytes);
  assert.equal(toHex(fromHex("00ff10")), "00ff10");
});

test("the last row ends with the bytes", () => {
  assert.deepEqual(rowRange(0, 100), [0, 16]);
  assert.deepEqual(rowRange(6, 100), [96, 100]);
});

test("keys lead to a byte that is there", () => {
  for (const key of ["ArrowLeft", "ArrowUp", "PageUp", "Home"]) assert.equal(moved(key, true, 0, 100, 10), 0);
  for (const key of ["ArrowRight", "ArrowDown", "PageDown", "End"]) assert.equal(moved(key, true, 99, 100, 10), 99);
  assert.equal(moved("ArrowDown", false, 5, 100, 10), 21);
  assert.equal(moved("Home", false, 37, 100, 10), 32);
  assert.equal(moved("a", false, 5, 100, 10), null);
});

test("what a terminal would obey is a dot", () => {
  assert.equal(printable(0x1b), "·");
  assert.equal(printable(0x41), "A");
  assert.equal(printable(0x7f), "·");
});
