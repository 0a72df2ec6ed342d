// Keys that a person binds, where things come from, what answers take, and one suggestion at a time.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { Effort } from "../../../workbench/editor/frontend/effort.js";
import { JUDGE_KEYS, JudgeQueue } from "../../../workbench/editor/frontend/judge.js";
import { actionOf, bind, bindings, conflictOf, keyOf, KEYS } from "../../../workbench/editor/frontend/keys.js";
import { Margin, originOf, saidBy } from "../../../workbench/editor/frontend/marginalia.js";

const press = (key, more = {}) => ({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more });
afterEach(() => bind({}));

test("no two actions come with the same key, and none with a digit", () => {
  const keys = KEYS.flatMap((one) => one.keys);
  assert.equal(new Set(keys).size, keys.length);
  assert.equal(keys.some((key) => /^[0-9]$/.test(key)), false);
});

test("a key that a person binds does what it says, and the old one nothing", () => {
  bind({ skip: ["g"] });
  assert.deepEqual(actionOf(press("g")), { action: "skip" });
  assert.equal(actionOf(press("s")), null);
  assert.equal(keyOf("skip"), "G");
  assert.deepEqual(actionOf(press("Enter")), { action: "save" });
  bind({});
  assert.deepEqual(actionOf(press("s")), { action: "skip" });
});

test("a key that is taken, or that labels, is refused with what it does", () => {
  assert.match(conflictOf("skip", "b"), /^B is taken: Back to the document before\.$/);
  assert.match(conflictOf("skip", "3"), /labels/);
  assert.equal(conflictOf("skip", "s"), null);
  assert.equal(conflictOf("skip", "g"), null);
  bind({ ...bindings(), skip: ["g"] });
  assert.match(conflictOf("back", "g"), /taken/);
  assert.equal(conflictOf("back", "s"), null);
});

test("a pause of a reader counts, and one of somebody who left counts five seconds", () => {
  let now = 0;
  const effort = new Effort(() => now);
  now = 3000;
  effort.note(true);
  now = 100000;
  effort.note();
  assert.deepEqual(effort.told, { active_ms: 8000, key_presses: 1 });
  effort.begin();
  assert.deepEqual(effort.told, { active_ms: 0, key_presses: 0 });
});

test("an item says who offers it, in which version, and how sure that is", () => {
  assert.equal(originOf({ isOffered: true, source: "model", source_version: "1.2.0", confidence: 0.834 }), "Offered by the model 1.2.0, 83 % sure.");
  assert.equal(originOf({ isOffered: true, source: "towns", source_version: "3", confidence: null }), "Offered by towns version 3.");
  assert.equal(originOf({ isOffered: false, origin: "model", source: "towns", source_version: "3" }), "Offered by towns version 3, and taken.");
  assert.equal(originOf({ isOffered: false, origin: "person" }), "Yours.");
});

test("what an endpoint could not place, took and cost is told in one sentence", () => {
  const answer = { suggestions: [{}], left_out: { ambiguous: 2 }, seconds: 1.26, tokens_in: 900, tokens_out: 100, cost: 0.0041 };
  assert.equal(saidBy("llm", answer), "llm: 1 suggestion, 2 not placed (2 ambiguous), 1.3 s, 1,000 tokens, cost 0.0041.");
});

test("the margin shows what belongs to the document that is open, however late answers come", async () => {
  const waiting = [];
  const call = (_, path) => new Promise((resolve) => waiting.push([path, resolve]));
  const margin = new Margin(call, () => {});
  const first = margin.open({ id: "a", dataset: "news" });
  const second = margin.open({ id: "b", dataset: "news" });
  for (const [path, resolve] of waiting.reverse()) {
    resolve(path.includes("comments") ? { comments: [{ id: path }] } : path.includes("sources") ? { sources: [] } : { guidelines: [] });
  }
  await Promise.all([first, second]);
  assert.deepEqual(margin.comments, [{ id: "/api/v1/documents/b/comments" }]);
});

test("suggestions are asked for ahead of time, none comes twice, and one can be gone back to", async () => {
  let asked = 0;
  const all = Array.from({ length: 100 }, (_, start) => ({ document_id: "d", start, end: start + 1, label: "per" }));
  const ask = async (_, path) => {
    asked += 1;
    const query = new URLSearchParams(path.split("?")[1]);
    const seen = new Set(query.get("exclude").split(","));
    const items = all.filter((item) => !seen.has(`d:${item.start}:${item.end}:per`) && item.start >= done.size - 1).slice(0, 40);
    return { items, judged: 0 };
  };
  const done = new Set();
  const queue = new JudgeQueue("news", ask);
  await queue.fill();
  while (queue.item) {
    assert.equal(done.has(queue.item.start), false);
    done.add(queue.pass().start);
    await queue.fill();
  }
  assert.equal(done.size, 100);
  assert.ok(asked <= 6);
  assert.equal(queue.back(), true);
  assert.equal(queue.item.start, 99);
  assert.equal(JUDGE_KEYS.y, "accepted");
});
