import assert from "node:assert/strict";
import test from "node:test";
import { pathTo } from "./static/tree.js";

const leaf = { label: "leaf", value: "", start: 4, end: 6 };
const inner = { label: "inner", value: "", start: 2, end: 8, children: [leaf] };
const nodes = [{ label: "first", value: "", start: 0, end: 2 }, inner];

test("the path to a byte leads to the innermost field that holds it", () => {
  assert.deepEqual(pathTo(nodes, 4).map((node) => node.label), ["inner", "leaf"]);
  assert.deepEqual(pathTo(nodes, 7).map((node) => node.label), ["inner"]);
  assert.deepEqual(pathTo(nodes, 8), []);
});
