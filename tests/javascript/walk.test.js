import assert from "node:assert/strict";
import test from "node:test";
import { parts } from "./static/envelope.js";
import { leaves, tintAt } from "./static/ranges.js";
import { ends, layout, places, veiled } from "./static/sequence.js";
import { foremost as firstCall } from "./static/step_card.js";
import { ofJob, readings, sight, verdict } from "./static/trace.js";
import { foremost, foundations } from "./static/workflow.js";

const lanes = ["enclave", "parent", "aws", "owner"].map((id) => ({ id, title: id, note: "" }));
const message = { step: "D3", source: "enclave", target: "aws", via: ["parent"], readable: ["enclave", "aws"], what: "kms:Decrypt", label: "kms:Decrypt", size: 100, records: [["handshake", 512]], beginning: "", tls: true, job: "j1" };

test("the parent lies between the enclave and AWS", () => {
  const at = places(lanes);
  assert.ok(at.enclave < at.parent && at.parent < at.aws && at.aws < at.owner);
});

test("a line ends at its lane, or at the relay's square", () => {
  const at = places(lanes);
  assert.deepEqual(ends(message, "enclave", "parent", at), [at.enclave + 1, at.parent - 13]);
  assert.deepEqual(ends(message, "parent", "aws", at), [at.parent + 13, at.aws - 1]);
  assert.deepEqual(ends({ ...message, via: [] }, "aws", "parent", at), [at.aws - 1, at.parent + 5]);
});

test("the ruler is to scale, and rows never touch", () => {
  const { rows, marks } = layout([0, 1, 500, 1000], true);
  assert.ok(Math.abs((marks[2] - marks[0]) / (marks[3] - marks[0]) - 0.5) < 1e-9);
  for (let at = 1; at < rows.length; at++) assert.ok(rows[at] - rows[at - 1] >= 56);
  assert.deepEqual(layout([], true).rows, []);
  assert.deepEqual(layout([5, 5], true).marks, [102, 102]);
});

test("what a party saw is renamed, or left as it is", () => {
  assert.equal(veiled(message, ""), "");
  assert.equal(veiled(message, "aws"), "");
  assert.equal(veiled(message, "parent"), "TLS records");
  assert.equal(veiled(message, "owner"), "not seen");
  assert.match(sight(message, "parent"), /handshake +512 bytes/);
  assert.match(sight(message, "owner"), /^nothing/);
});

test("who could read how much", () => {
  assert.equal(verdict("Parent", "parent", [message, { ...message, readable: ["parent"] }]), "Parent could read 1 of 2 messages");
  assert.match(readings("owner", [message]), /could read: nothing\. It could not: kms:Decrypt/);
  assert.equal(ofJob([message, { ...message, job: "" }, { ...message, job: "j2" }], "j1").length, 2);
});

test("a step rests on all below it, near and far", () => {
  const steps = [{ number: "P1", rests_on: [] }, { number: "P2", rests_on: ["P1"] }, { number: "P3", rests_on: ["P2", "P1"] }];
  assert.deepEqual([...foundations(steps, "P3")].sort(), ["P1", "P2"]);
  assert.deepEqual([...foundations([{ number: "P1", rests_on: ["P1"] }], "P1")], ["P1"]);
});

test("what runs is looked at first, then what failed, then what is next", () => {
  const states = (...list) => list.map((state) => ({ state }));
  assert.equal(foremost(states("done", "running", "failed")), 1);
  assert.equal(foremost(states("done", "failed", "to do")), 1);
  assert.equal(foremost(states("done", "done", "to do")), 2);
  assert.equal(foremost(states("done", "done")), 1);
});

test("the refused call is shown first, else the last", () => {
  assert.equal(firstCall([{ tone: "good" }, { tone: "bad" }, { tone: "good" }]), 1);
  assert.equal(firstCall([{ tone: "bad" }, { tone: "good" }]), 0);
  assert.equal(firstCall([{ tone: "good" }, { tone: "good" }]), 1);
  assert.equal(firstCall([]), 0);
});

test("a byte has the tint of its innermost field", () => {
  const nodes = [{ label: "a", start: 0, end: 8, tint: "f1", children: [{ label: "b", start: 2, end: 4, tint: "f2" }, { label: "c", start: 4, end: 6, tint: "" }] }];
  assert.deepEqual([0, 3, 5, 9].map((at) => tintAt(nodes, at)), ["f1", "f2", "f1", ""]);
  assert.deepEqual(leaves(nodes).map((node) => node.label), ["b", "c"]);
  assert.deepEqual(parts([{ label: "x", start: 2, end: 5, tint: "f3" }]), [{ name: "encoding", size: 2, tint: 6 }, { name: "x", size: 3, tint: 3 }]);
});
