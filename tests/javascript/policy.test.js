import assert from "node:assert/strict";
import test from "node:test";
import { groupsShown } from "./static/pcrs.js";
import { fits } from "./static/log.js";
import { asks, Edited } from "./static/policy.js";

test("what was before stays while one field is typed into", () => {
  const edited = new Edited();
  edited.set("PCR0", "a");
  edited.set("PCR0", "ab");
  assert.deepEqual([edited.now, edited.before], [{ PCR0: "ab" }, {}]);
  edited.set("action", "x");
  assert.deepEqual(edited.before, { PCR0: "ab" });
  edited.replace({ document: "none" });
  assert.deepEqual([edited.now, edited.before], [{ document: "none" }, { PCR0: "ab", action: "x" }]);
});

test("a digest is whole where its cell has room", () => {
  const cell = (columns) => ({ columns, digest: null, said: "", same: 1, apart: "", odd: false });
  assert.equal(groupsShown(cell(["a", "b"]), 3), 0);
  assert.equal(groupsShown(cell(["a"]), 2), 0);
  assert.equal(groupsShown(cell(["a"]), 3), 4);
});

test("records fit by all words, whatever their case, and by outcome", () => {
  const one = { number: 0, at: "2026", action: "kms:Decrypt", who: "ParentInstance", resource: "key/1", brief: "key/1", outcome: "AccessDenied", tone: "bad", why: "PCR0 differs", said: "", document: null };
  assert.ok(fits(one, "pcr0 parent", "all"));
  assert.ok(fits(one, "", "refused"));
  assert.ok(!fits(one, "", "done"));
  assert.ok(!fits(one, "pcr0 owner", "all"));
});

test("a tile is marked where the form holds its request and nothing else", () => {
  const example = [["document", "none"], ["PCR0", "ab"]];
  assert.ok(asks(example, { PCR0: "ab", document: "none" }));
  assert.ok(!asks(example, { document: "none" }));
  assert.ok(!asks(example, { document: "none", PCR0: "ac" }));
  assert.ok(!asks(example, { document: "none", PCR0: "ab", action: "kms:Decrypt" }));
  assert.ok(!asks([], {}));
});
