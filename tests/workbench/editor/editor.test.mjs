// The editor's rules, run by Node's own test runner: node --test tests/workbench/editor/
import assert from "node:assert/strict";
import { test } from "node:test";

import { labelColour } from "../../../workbench/editor/frontend/colours.js";
import { Choice } from "../../../workbench/editor/frontend/choice.js";
import { actionOf } from "../../../workbench/editor/frontend/keys.js";
import { Drafts, Outbox } from "../../../workbench/editor/frontend/outbox.js";
import { Pairing, withPair } from "../../../workbench/editor/frontend/pair.js";
import { Sheet, layers, withOffers, withVotes } from "../../../workbench/editor/frontend/sheet.js";
import { Tasks } from "../../../workbench/editor/frontend/tasks.js";
import { IndexedText } from "../../../workbench/editor/frontend/text.js";

const span = (start, end, label) => ({ start, end, label });
const places = (items) => items.map(({ start, end, label }) => [start, end, label]);

class Storage {
  constructor() {
    this.kept = new Map();
  }
  getItem(key) {
    return this.kept.get(key) ?? null;
  }
  setItem(key, value) {
    this.kept.set(key, value);
  }
  removeItem(key) {
    this.kept.delete(key);
  }
}

test("a new span takes the place of what it overlaps when the label set is flat", () => {
  const sheet = new Sheet("flat", withOffers([span(0, 8, "geo"), span(20, 25, "per")], []));
  const displaced = sheet.add(span(4, 12, "org"));
  assert.deepEqual(places(displaced), [[0, 8, "geo"]]);
  assert.deepEqual(places(sheet.standing), [[4, 12, "org"], [20, 25, "per"]]);
});

test("a new span stands inside another when the label set is nested, but never across its border", () => {
  const sheet = new Sheet("nested", withOffers([span(0, 8, "org")], []));
  sheet.add(span(4, 8, "geo"));
  assert.equal(sheet.standing.length, 2);
  sheet.add(span(6, 12, "per"));
  assert.deepEqual(places(sheet.standing), [[6, 12, "per"]]);
});

test("crossing spans stand beside each other when the label set allows any, on layers of their own", () => {
  const sheet = new Sheet("any", withOffers([span(0, 8, "org")], []));
  sheet.add(span(6, 12, "per"));
  assert.equal(sheet.standing.length, 2);
  assert.deepEqual(layers(sheet.items), [0, 1]);
});

test("what is offered joins the answer only when it is taken", () => {
  const sheet = new Sheet("flat", withOffers([span(0, 4, "per")], [span(0, 4, "per"), span(10, 16, "geo")]));
  assert.deepEqual(places(sheet.standing), [[0, 4, "per"]]);
  sheet.take(sheet.offered[0]);
  assert.deepEqual(places(sheet.standing), [[0, 4, "per"], [10, 16, "geo"]]);
});

test("taking everything leaves out what would displace a person's span", () => {
  const sheet = new Sheet("flat", withOffers([span(0, 4, "per")], [span(2, 6, "geo"), span(10, 16, "geo")]));
  assert.equal(sheet.takeAll(), 1);
  assert.deepEqual(places(sheet.standing), [[0, 4, "per"], [10, 16, "geo"]]);
  assert.deepEqual(places(sheet.offered), [[2, 6, "geo"]]);
});

test("what all voters said stands, and everything else is offered with their names", () => {
  const items = withVotes([
    { author: "ada", spans: [span(0, 4, "per"), span(10, 16, "geo")] },
    { author: "bo", spans: [span(0, 4, "per"), span(10, 20, "geo")] },
  ]);
  const sheet = new Sheet("flat", items);
  assert.deepEqual(places(sheet.standing), [[0, 4, "per"]]);
  assert.deepEqual(sheet.offered.map((item) => [item.end, item.voters]), [[20, ["bo"]], [16, ["ada"]]]);
  sheet.take(sheet.offered[1]);
  assert.deepEqual(places(sheet.standing), [[0, 4, "per"], [10, 16, "geo"]]);
});

test("a hundred random changes are undone to the first state and done again to the last", () => {
  let seed = 7;
  const random = (limit) => (seed = (seed * 48271) % 2147483647) % limit;
  for (const nesting of ["flat", "nested", "any"]) {
    const sheet = new Sheet(nesting, withOffers([span(0, 4, "per"), span(9, 14, "geo")], [span(20, 22, "org")]));
    const first = JSON.stringify(sheet.items);
    let steps = 0;
    while (steps < 100) {
      const before = sheet.past.length;
      const item = sheet.items[random(Math.max(sheet.items.length, 1))];
      const start = random(60);
      if (!item || random(3) === 0) sheet.add(span(start, start + 1 + random(8), ["per", "geo", "org"][random(3)]));
      else if (random(3) === 0) sheet.remove(item);
      else if (item.isOffered) sheet.take(item);
      else sheet.replace(item, { label: ["per", "geo", "tim"][random(3)] });
      steps += sheet.past.length - before;
    }
    const last = JSON.stringify(sheet.items);
    while (sheet.undo());
    assert.equal(JSON.stringify(sheet.items), first);
    while (sheet.redo());
    assert.equal(JSON.stringify(sheet.items), last);
  }
});

test("offsets count code points whatever the text holds", () => {
  const text = new IndexedText("👩‍👩‍👧 in São Paulo\r\nשלום 東京 e\u0301");
  const points = Array.from(text.text);
  assert.equal(text.length, points.length);
  for (let start = 0; start < points.length; start += 1) {
    assert.equal(text.slice(start, points.length), points.slice(start).join(""));
    assert.equal(text.point(text.unit(start)), start);
  }
});

test("a choice snaps to the words it touches, and to none where it touches blanks alone", () => {
  const text = new IndexedText("(New York, U.S.)");
  assert.deepEqual(text.snapped(2, 6), [1, 9]);
  assert.deepEqual(text.snapped(3, 4), [1, 4]);
  assert.deepEqual(text.snapped(11, 13), [11, 15]);
  assert.equal(text.snapped(4, 5), null);
  assert.deepEqual(text.trimmed(4, 10), [5, 10]);
});

test("the same words are found everywhere, but not inside other words", () => {
  const text = new IndexedText("York, Yorkshire and New York");
  assert.deepEqual(text.occurrences("York"), [[0, 4], [24, 28]]);
});

test("the arrow keys go from word to word and stretch what is chosen", () => {
  const text = new IndexedText("New York is big");
  const choice = new Choice();
  choice.step(text, 1);
  assert.deepEqual(choice.target, [0, 3]);
  assert.deepEqual(choice.moved(text, "end", 1), [0, 8]);
  choice.step(text, 1);
  assert.deepEqual(choice.target, [4, 8]);
  choice.step(text, -1);
  assert.deepEqual(choice.target, [0, 3]);
  assert.equal(choice.moved(text, "end", -1), null);
  choice.choose([12, 15]);
  choice.step(text, 1);
  assert.deepEqual(choice.target, [12, 15]);
});

test("digits name labels, and keys with modifiers that nobody set mean nothing", () => {
  const key = (name, more = {}) => ({ key: name, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more });
  assert.deepEqual(actionOf(key("1")), { action: "label", position: 0 });
  assert.deepEqual(actionOf(key("0")), { action: "label", position: 9 });
  assert.deepEqual(actionOf(key("z", { ctrlKey: true })), { action: "undo" });
  assert.equal(actionOf(key("r")), null);
  assert.equal(actionOf(key("c")), null);
});

test("an answer is sent again until it is stored, once, in order, and is kept meanwhile", async () => {
  const storage = new Storage();
  const stored = [];
  let failures = 3;
  const send = async (entry) => {
    if (failures-- > 0) throw { status: 0, message: "away" };
    stored.push(entry.operation_id);
  };
  const outbox = new Outbox(storage, send, { onChange: () => {}, onRefused: () => assert.fail() });
  outbox.put({ operation_id: "1", document_id: "a" });
  outbox.put({ operation_id: "2", document_id: "b" });
  const reloaded = new Outbox(storage, send, { onChange: () => {}, onRefused: () => assert.fail() });
  assert.equal(reloaded.entries.length, 2);
  while (outbox.entries.length) await outbox.flush();
  assert.deepEqual(stored, ["1", "2"]);
  clearTimeout(outbox._timer);
});

test("a refused answer is handed back and does not hold up the next", async () => {
  const refused = [];
  const send = async (entry) => {
    if (entry.operation_id === "1") throw { status: 409, kind: "stale_correction", message: "stale" };
  };
  const outbox = new Outbox(new Storage(), send, { onChange: () => {}, onRefused: (entry) => refused.push(entry.operation_id) });
  outbox.put({ operation_id: "1", document_id: "a" });
  outbox.put({ operation_id: "2", document_id: "b" });
  await outbox.flush();
  while (outbox.entries.length) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(refused, ["1"]);
  assert.equal(outbox.stored, 1);
});

test("a draft outlives a reload, and not the next revision", () => {
  const drafts = new Drafts(new Storage());
  const sheet = new Sheet("flat", withOffers([span(0, 4, "per")], []));
  sheet.add(span(6, 9, "geo"));
  drafts.keep({ id: "d", revision: 2 }, sheet);
  drafts.write();
  const again = drafts.of({ id: "d", revision: 2 });
  const restored = new Sheet("flat", again.items, again);
  assert.equal(restored.undo(), true);
  assert.deepEqual(places(restored.items), [[0, 4, "per"]]);
  assert.equal(drafts.of({ id: "d", revision: 3 }), null);
});

test("documents are asked for ahead of time and none comes twice", async () => {
  const left = ["a", "b", "c", "d", "e"];
  const call = async (_method, path) => {
    const seen = new URLSearchParams(path.split("?")[1]).get("exclude").split(",");
    const id = left.find((one) => !seen.includes(one));
    return { document: id ? { id } : null, reason: id ? "" : "Nothing is left." };
  };
  const tasks = new Tasks({ dataset: "news" }, call);
  const handed = [];
  for (let task = await tasks.next(); task.document; task = await tasks.next()) handed.push(task.document.id);
  assert.deepEqual(handed, left);
});

test("a label that is not known has the colour that other pages give it", () => {
  const palette = { known: { per: "#1" }, alike: { person: "per" }, spare: ["#a", "#b", "#c", "#d", "#e"] };
  assert.equal(labelColour("PERSON", palette), "#1");
  // zlib.crc32(b"disease") is 255552193, which leaves 3 when divided by 5.
  assert.equal(labelColour("Disease", palette), "#d");
});

const DIFFERENCES = [
  { kind: "match", left: span(0, 4, "per"), right: span(0, 4, "per") },
  { kind: "label", left: span(14, 22, "geo"), right: span(14, 22, "org") },
  { kind: "missing", left: span(30, 34, "per"), right: null },
];
const PAIR = { left: { version: "1.0.0", spans: [] }, right: { version: "1.1.0", spans: [] }, differences: DIFFERENCES };

function paired(nesting, document = { revision: 0, spans: [] }) {
  return { sheet: new Sheet(nesting, withPair(document, PAIR)), pairing: new Pairing(PAIR) };
}

test("what both versions say stands and their differences are offered when nobody has labelled the document", () => {
  const { sheet, pairing } = paired("flat");
  assert.deepEqual(places(sheet.standing), [[0, 4, "per"]]);
  assert.equal(pairing.open(sheet.items).length, 2);
});

test("one key lets either side, or neither, join the answer, and undoing opens the difference again", () => {
  const { sheet, pairing } = paired("flat");
  assert.equal(pairing.adopt(sheet, "right"), "");
  pairing.goOn(sheet.items);
  assert.equal(pairing.current.kind, "missing");
  pairing.adopt(sheet, "neither");
  assert.deepEqual(places(sheet.standing), [[0, 4, "per"], [14, 22, "org"]]);
  assert.deepEqual(DIFFERENCES.slice(1).map((one) => pairing.choiceOf(one, sheet.items)), ["right", "neither"]);
  assert.equal(sheet.offered.length, 0);
  sheet.undo();
  assert.deepEqual(pairing.open(sheet.items), [DIFFERENCES[2]]);
  sheet.undo();
  assert.equal(pairing.open(sheet.items).length, 2);
});

test("a choice can be changed to the other side without deciding anything twice", () => {
  const { sheet, pairing } = paired("flat");
  pairing.adopt(sheet, "left");
  pairing.adopt(sheet, "right");
  assert.deepEqual(places(sheet.standing), [[0, 4, "per"], [14, 22, "org"]]);
});

test("both sides stand when the label set lets them overlap, and are refused with a reason when it does not", () => {
  const flat = paired("flat");
  assert.match(flat.pairing.adopt(flat.sheet, "both"), /overlap/);
  assert.equal(flat.sheet.isChanged, false);
  const any = paired("any");
  assert.equal(any.pairing.adopt(any.sheet, "both"), "");
  assert.equal(any.pairing.choiceOf(DIFFERENCES[1], any.sheet.items), "both");
});

test("what is stored stands, and only what it lacks is offered, when somebody has labelled the document", () => {
  const { sheet, pairing } = paired("flat", { revision: 2, spans: [span(14, 22, "org")] });
  assert.deepEqual(places(sheet.standing), [[14, 22, "org"]]);
  assert.equal(pairing.choiceOf(DIFFERENCES[1], sheet.items), "open");
  pairing.adopt(sheet, "right");
  assert.equal(pairing.choiceOf(DIFFERENCES[1], sheet.items), "right");
});

test("documents of two versions are asked for where pairs are", async () => {
  const asked = [];
  const tasks = new Tasks({ dataset: "news", left: "1.0.0", right: "1.1.0" }, async (method, path) => {
    asked.push(path);
    return { document: null };
  });
  await tasks.next();
  await tasks.one("d1");
  assert.equal(asked[0], "/api/v1/pairs/next?dataset=news&left=1.0.0&right=1.1.0&exclude=");
  assert.equal(asked[1], "/api/v1/pairs/d1?left=1.0.0&right=1.1.0");
});
