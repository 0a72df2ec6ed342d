// One suggestion at a time: yes, no, or later. Decisions wait in an outbox; the next suggestion is there already.

import { labelColour } from "./colours.js";
import { element, plural } from "./element.js";
import { call, Outbox } from "./outbox.js";

const AHEAD = 40;
const FEWEST = 12;
const REMEMBERED = 80;
const shown = new WeakMap();

export const JUDGE_KEYS = { y: "accepted", ArrowRight: "accepted", n: "rejected", ArrowLeft: "rejected", s: "later", u: "back" };

export function identityOf(item) {
  return `${item.document_id}:${item.start}:${item.end}:${item.label}`;
}

/** What waits to be judged, asked for ahead of time; nothing comes twice in one visit unless it was gone back to. */
export class JudgeQueue {
  constructor(dataset, ask) {
    this._path = `/api/v1/datasets/${encodeURIComponent(dataset)}/judgements/next`;
    this._ask = ask;
    this._items = [];
    this._seen = new Set();
    this._done = [];
    this._filling = null;
    this.isEmpty = false;
    this.judged = 0;
  }

  get item() {
    return this._items[0] ?? null;
  }

  get length() {
    return this._items.length;
  }

  /** Go on to the next; what was here can be gone back to. */
  pass() {
    const item = this._items.shift();
    if (item) this._done.push(item);
    return item;
  }

  back() {
    const item = this._done.pop();
    if (item) this._items.unshift(item);
    return Boolean(item);
  }

  /** Ask for more where few are left. */
  async fill() {
    if (this._items.length >= FEWEST || this._filling || this.isEmpty) return this._filling;
    this._filling = this._load();
    try {
      await this._filling;
    } finally {
      this._filling = null;
    }
    return undefined;
  }

  async _load() {
    const known = [...this._items, ...this._done.slice(-REMEMBERED)].map(identityOf);
    const query = new URLSearchParams({ limit: AHEAD, exclude: known.join(",") });
    const told = await this._ask("GET", `${this._path}?${query}`);
    const fresh = told.items.filter((item) => !this._seen.has(identityOf(item)));
    for (const item of fresh) this._seen.add(identityOf(item));
    this._items.push(...fresh);
    this.judged = Math.max(this.judged, told.judged);
    // Documents are drawn at random: only an empty draw, or one of what was seen already, ends the visit.
    this.isEmpty = fresh.length === 0;
  }
}

class Judge {
  constructor(root, data) {
    this._root = root.querySelector(".judge");
    this._colourOf = (label) => labelColour(label, data.colours);
    this._queue = new JudgeQueue(data.dataset, call);
    this._count = 0;
    this._outbox = new Outbox(
      window.localStorage,
      ({ document_id: documentId, ...decision }) => call("POST", `/api/v1/documents/${documentId}/judgements`, decision, { keepalive: true }),
      { onChange: () => this._drawState(), onRefused: (_, error) => this._say(error.message) },
      "ner-judgements",
    );
    this._ending = new AbortController();
  }

  async begin() {
    const { signal } = this._ending;
    this._root.addEventListener("keydown", (event) => this._onKey(event), { signal });
    for (const button of this._root.querySelectorAll("button")) button.addEventListener("click", () => this._act(button.dataset.act), { signal });
    window.addEventListener("online", () => this._outbox.flush(), { signal });
    this._outbox.flush();
    await this._fill();
    this._draw();
    this._root.querySelector(".card").focus({ preventScroll: true });
  }

  close() {
    this._ending.abort();
  }

  _onKey(event) {
    event.stopPropagation();
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const act = JUDGE_KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    this._act(act);
  }

  _act(act) {
    if (act === "back") {
      if (!this._queue.back()) return this._say("This is the first suggestion of this visit.");
    } else {
      const item = this._queue.pass();
      if (!item) return;
      if (act !== "later") this._decide(item, act);
    }
    this._draw();
    this._fill().then(() => this._draw());
  }

  _decide(item, verdict) {
    const { document_id, start, end, label, source, source_version, confidence } = item;
    this._count += 1;
    this._outbox.put({
      operation_id: crypto.randomUUID(),
      ...{ document_id, start, end, label, source, source_version, confidence, verdict },
      text: item.surface,
    });
    this._say(`${verdict === "accepted" ? "Yes" : "No"}: “${item.surface}” ${label}`);
  }

  async _fill() {
    try {
      await this._queue.fill();
    } catch (error) {
      if (error.status === undefined) throw error;
      this._say(error.message);
    }
  }

  _draw() {
    const item = this._queue.item;
    this._root.classList.toggle("over", !item);
    this._drawState();
    const text = this._root.querySelector(".text");
    if (!item) return text.replaceChildren(element("strong", { text: "Nothing waits here" }), element("span", { text: "Every suggestion of these documents is judged, or was left open." }));
    const mark = element("mark", { style: `--label:${this._colourOf(item.label)}` }, item.surface, element("b", { text: item.label }));
    text.replaceChildren(element("span", { class: "around", text: item.before }), mark, element("span", { class: "around", text: item.after }));
    const sure = item.confidence === null ? "" : `, ${Math.round(100 * item.confidence)} % sure`;
    this._root.querySelector(".question").textContent = `Is this ${item.label}?`;
    this._root.querySelector(".origin").textContent = `${item.source === "model" ? "model" : item.source} ${item.source_version}${sure}`;
    return undefined;
  }

  _drawState() {
    const waiting = this._outbox.entries.length;
    const problem = waiting && this._outbox.problem ? `: ${this._outbox.problem.message} Trying again` : "";
    const saving = waiting ? `${plural(waiting, "decision")} not saved yet${problem}` : "all saved";
    this._root.querySelector(".state").textContent = `${plural(this._count, "decision")} in this visit, ${saving}`;
  }

  _say(text) {
    this._root.querySelector(".live").textContent = text;
  }
}

export default function mount({ data, parentElement }) {
  const identity = JSON.stringify(data);
  if (shown.get(parentElement)?.identity === identity) return undefined;
  shown.get(parentElement)?.judge.close();
  const judge = new Judge(parentElement, data);
  shown.set(parentElement, { identity, judge });
  judge.begin();
  return () => {
    judge.close();
    shown.delete(parentElement);
  };
}
