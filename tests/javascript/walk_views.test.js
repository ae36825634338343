import assert from "node:assert/strict";
import test from "node:test";
import { drawn, named } from "./small_dom.js";
import { draw as drawEnclaves } from "./static/enclave.js";
import { draw as drawQuestion } from "./static/question.js";
import { draw as drawResult } from "./static/result.js";
import { draw as drawWorkflow } from "./static/workflow.js";

const head = { what: "w", verdict: "v", tone: "good", why: "", next: "" };
const step = (number, state, rests_on = [], needed_by = []) => ({
  number, title: `title of ${number}`, party: "owner", parties: ["owner"], part: "", state, said: state, here: false, took: "", at: "", rests_on, needed_by, facts: [], error: "",
});
const MAP = { head, parties: ["owner", "enclave"], doing: "", asks: "", steps: [step("P1", "done", [], ["P2", "P3"]), step("P2", "done", ["P1"], ["P3"]), step("P3", "to do", ["P2", "P1"])] };
const classes = (card, name) => card.querySelectorAll(".dot").map((dot) => dot.className.split(" ").includes(name));

test("the map rings what the chosen step rests on, and says what a ring means", async () => {
  const { card, said } = drawn(drawWorkflow, MAP);
  assert.deepEqual(classes(card, "rested"), [true, true, false]);
  await card.querySelectorAll(".dot")[1].click();
  assert.deepEqual(classes(card, "rested"), [true, false, false]);
  assert.deepEqual(classes(card, "resting"), [false, false, true]);
  assert.match(card.querySelector(".legend").textContent, /rests on.*needs it/);
  assert.equal(said.at(-1), "P2, title of P2: done");
});

test("the map is walked by arrows, no further than its ends", async () => {
  const { card } = drawn(drawWorkflow, MAP);
  const dots = card.querySelectorAll(".dot");
  await dots[2].press("Home");
  assert.equal(document.activeElement, dots[0]);
  await dots[0].press("ArrowLeft");
  assert.equal(document.activeElement, dots[0]);
  await dots[0].press("End");
  assert.equal(document.activeElement, dots[2]);
});

test("a step is run, and starting over asks first", async () => {
  const { card, asked, redrawn } = drawn(drawWorkflow, MAP, () => MAP);
  await named(card, "Run P3").click();
  await named(card, "Start over from P3").click();
  assert.deepEqual(asked, [["run", { step: "P3" }], ["reset", { step: "P3" }]]);
  assert.deepEqual(redrawn, [MAP, MAP]);
  const sure = drawn(drawWorkflow, { ...MAP, asks: "Start over from P3?" }, () => MAP);
  await named(sure.card, "Yes, start over").click();
  assert.deepEqual(sure.asked, [["reset", { step: "P3", yes: true }]]);
});

test("while a step runs nothing else is offered, and progress has a number", () => {
  const { card } = drawn(drawWorkflow, { ...MAP, doing: "wheels (2 of 4)", steps: [MAP.steps[0], { ...MAP.steps[1], state: "running" }, MAP.steps[2]] }, () => MAP);
  assert.equal(card.querySelectorAll("button").filter((one) => one.textContent.startsWith("Run")).length, 0);
  assert.equal(card.querySelector("progress").getAttribute("value"), "1");
  assert.match(card.textContent, /wheels \(2 of 4\)/);
});

const ENCLAVE = { id: "i-1-enc2", name: "app", image: "app.eif", state: "RUNNING", tone: "good", debug: true, flags: "DEBUG_MODE", facts: [["memory", "512 MiB"]], pcrs: [["PCR0", { hex: "00".repeat(48), picture: null, difference: -1 }]], console: "" };
const ENCLAVES = { head, enclaves: [ENCLAVE], jobs: [], refusals: [], asks: "", left_out: 0 };

test("an enclave shows its flags in words, and PCRs of zeros as zeros", () => {
  const { card } = drawn(drawEnclaves, ENCLAVES);
  assert.match(card.textContent, /debug mode/);
  assert.match(card.textContent, /all zero, 48 bytes/);
  assert.equal(card.querySelectorAll("button").length, 0);
});

test("launching sends what was typed; ending asks first", async () => {
  const { card, asked, redrawn } = drawn(drawEnclaves, ENCLAVES, () => ENCLAVES);
  card.querySelector("[aria-label=CPUs]").value = "4";
  await named(card, "Launch").click();
  await named(card, "End it").click();
  assert.deepEqual(asked, [["launch", { memory_mib: 512, cpu_count: 4, debug_mode: false }], ["terminate", { id: "i-1-enc2" }]]);
  assert.equal(redrawn.length, 2);
  const sure = drawn(drawEnclaves, { ...ENCLAVES, asks: "i-1-enc2" }, () => ENCLAVES);
  await named(sure.card, "Yes, end it").click();
  assert.deepEqual(sure.asked, [["terminate", { id: "i-1-enc2", yes: true }]]);
});

/** Let everything run that waits for no clock. */
const turn = () => new Promise((done) => setImmediate(done));

test("a console is followed from its last byte on, until it ends", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const answers = [{ text: "boot\n", offset: 5, ended: false }, { text: "bye\n", offset: 9, ended: true }];
  const { card, asked, said } = drawn(drawEnclaves, ENCLAVES, () => answers.shift());
  await named(card, "Follow the console").click();
  await turn();
  t.mock.timers.tick(1000);
  await turn();
  assert.deepEqual(asked.map(([, values]) => values.offset), [0, 5]);
  assert.equal(card.querySelector("pre").textContent, "boot\nbye\n");
  assert.equal(said.at(-1), "app has ended");
});

test("a slow host is asked one thing at a time, so that no line comes twice", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const answer = [];
  const { card, asked } = drawn(drawEnclaves, ENCLAVES, () => new Promise((done) => answer.push(done)));
  const button = named(card, "Follow the console");
  await button.click();
  t.mock.timers.tick(60_000);
  await turn();
  assert.equal(asked.length, 1);
  await button.click(); // no more, and again: what the first question brings is nobody's
  await button.click();
  answer[0]({ text: "boot\n", offset: 5, ended: false });
  answer[1]({ text: "boot\n", offset: 5, ended: true });
  await turn();
  assert.equal(card.querySelector("pre").textContent, "boot\n");
});

const bar = (group, text, share) => ({ group, text, share });
const RESULT = { head, groups: ["north", "south"], suppressed: 1, unsaid: "1 group of fewer than 5 records", note: "", left_out: 0,
  measures: [{ name: "count", bars: [bar("north", "8", 1), bar("south", "4", 0.5)] }, { name: "sum", bars: [bar("north", "1.5", 0.3), bar("south", "5", 1)] }] };

test("bars are to scale, and the suppressed group has none but is drawn", () => {
  const { card } = drawn(drawResult, RESULT);
  const widths = card.querySelectorAll(".bar").map((one) => Number(one.getAttribute("width")));
  assert.equal(widths[1] / widths[0], 0.5);
  assert.equal(card.querySelectorAll(".gone").length, 1);
  assert.match(card.textContent, /not told: 1 group of fewer than 5 records/);
});

test("another measure is chosen by its button, and told", async () => {
  const { card, said } = drawn(drawResult, RESULT);
  await named(card, "sum").click();
  assert.match(card.querySelector(".bars").getAttribute("aria-label"), /^Bars of sum/);
  assert.deepEqual(said, ["Bars of sum"]);
});

test("a result without any group is drawn", () => {
  const { card } = drawn(drawResult, { ...RESULT, groups: [], measures: [], suppressed: 0 });
  assert.equal(card.querySelectorAll(".bar").length, 0);
});

test("an answer is kept once, told, and stands in the model for the next drawing", async () => {
  const model = { head, options: [], answer: "", said: "", closed: false };
  const { card, asked, said } = drawn(drawQuestion, model, () => "kept");
  const line = card.querySelector("input");
  line.value = " no document ";
  await line.press("Enter");
  await line.tell("change");
  assert.deepEqual(asked, [["keep", { answer: "no document" }]]);
  assert.deepEqual([model.answer, model.said, said], ["no document", "kept", ["kept"]]);
});
