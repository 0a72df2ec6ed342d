// One person at one document: what the keys and the mouse do to it, and the way to the next.

import { Choice } from "./choice.js";
import { Effort } from "./effort.js";
import { afterPaint } from "./element.js";
import { Margin } from "./marginalia.js";
import { call, Drafts, Outbox } from "./outbox.js";
import { Pairing, withPair } from "./pair.js";
import { byPlace, isSame, placeOf, Sheet, withOffers, withVotes } from "./sheet.js";
import { Tasks } from "./tasks.js";
import { IndexedText } from "./text.js";

export class Desk {
  /** `basis`: what to correct, {dataset} or {source}; `view` draws: draw(desk), opened(desk), say(text). */
  constructor(basis, view, storage = window.localStorage) {
    this._view = view;
    this._drafts = new Drafts(storage);
    this._visited = [];
    this._refused = new Map();
    // The server reads a long text for seconds, with the processors that paint the one before it.
    this.tasks = new Tasks(basis, call, (act) => afterPaint(() => this.isClosed || act()));
    this.outbox = new Outbox(storage, sendAnswer, {
      onChange: () => this._draw(),
      onRefused: (entry, error) => this._onRefused(entry, error),
      onStored: (_, told) => this._onStored(told),
    });
    this.choice = new Choice();
    this.effort = new Effort();
    this.margin = new Margin(call, () => this._draw());
    this.task = null;
    this.pairing = null;
    this.pen = null;
    this.filter = "";
    this.problem = null;
    this.isLoading = false;
    this.isClosed = false;
  }

  get document() {
    return this.task?.document ?? null;
  }

  /** Whether this answer settles what several people said. */
  get decides() {
    return Boolean(this.task?.answers?.length);
  }

  /** What has to be settled, {text, ways}, or null: a document that did not come, or an answer that was refused. */
  get notice() {
    if (this.problem) return this.problem;
    const here = this._refused.get(this.document?.id);
    if (here) return this._mergeNotice(here);
    const [elsewhere] = this._refused.values();
    if (!elsewhere) return null;
    const { entry, error } = elsewhere;
    return {
      text: `An answer was not stored: ${error.message}`,
      ways: [{ name: "Look at it", act: () => this.open(entry.document_id) }],
    };
  }

  /** Begin: send what an earlier visit left, then open `documentId` or the next document. */
  async start(documentId) {
    this.outbox.flush();
    await (documentId ? this.open(documentId) : this.next());
  }

  close() {
    this.isClosed = true;
    this.putAway();
  }

  /** Write down what was done here, and give back what was not begun, for the page may go. */
  putAway() {
    this._drafts.write();
    this.tasks.releaseAhead();
  }

  async next() {
    await this._load(() => this.tasks.next());
  }

  async open(documentId) {
    await this._load(async () => {
      const task = await this.tasks.one(documentId);
      this.tasks.passOver(documentId);
      this.tasks.fill();
      return task;
    });
  }

  async back() {
    const before = this._visited.pop();
    if (!before) return this._view.say("This is the first document of this visit.");
    await this.open(before);
  }

  async skip() {
    if (!this.document || this.isLoading) return;
    this.tasks.release(this.document.id);
    this._leave();
    await this.next();
  }

  /** Everything that stands becomes the answer; on a document that nobody has labelled, so does what is offered. */
  async save() {
    if (!this.document || this.isLoading || this._waitsForDecisions()) return;
    if (this.document.revision === 0 && !this.decides && !this.pairing) this.sheet.takeAll();
    const { id, revision } = this.document;
    this._refused.delete(id);
    this._leave();
    this.outbox.put({
      document_id: id,
      decides: this.decides,
      operation_id: crypto.randomUUID(),
      base_revision: revision,
      spans: this.sheet.standing.map(({ start, end, label }) => ({ start, end, label, text: this.text.slice(start, end) })),
      model_version: this.task.model_version,
      offers: this.task.suggestions,
      effort: this.effort.told,
    });
    this._drafts.forget(id);
    await this.next();
  }

  /** Give a label to what is chosen; where nothing is chosen, it becomes the pen that every choice is labelled with. */
  label(label) {
    const { active, target } = this.choice;
    if (active) {
      if (active.label === label && !active.isOffered) return;
      return this._changed(() => this.sheet.replace(active, { label }), `${label}: ${this._surface(active)}`);
    }
    if (target) return this.add(target, label);
    this.pen = this.pen === label ? null : label;
    this._view.say(this.pen ? `Every choice becomes ${label}; press again to stop.` : "No label is held.");
    this._draw();
  }

  add([start, end], label) {
    const range = this.choice.isCharacterwise ? this.text.trimmed(start, end) : [start, end];
    if (!range) return;
    const span = { start: range[0], end: range[1], label };
    const displaced = this.sheet.add(span);
    const instead = displaced.length ? `, in place of ${displaced.map((one) => this._surface(one)).join(", ")}` : "";
    this.choice.select(this._itemLike(span));
    this._keep();
    this._view.say(`${label}: ${this._surface(span)}${instead}`);
    this._draw();
  }

  /** A choice by mouse or keys: [start, end) in code points. */
  choose(range) {
    if (this.pen && range) return this.add(range, this.pen);
    this.choice.choose(range);
    this._draw();
  }

  select(item) {
    this.choice.select(item);
    this._draw(true);
  }

  remove(item = this.choice.active) {
    if (!item) return;
    const position = this.sheet.items.indexOf(item);
    this.sheet.remove(item);
    this.choice.select(this.sheet.items[Math.min(position, this.sheet.items.length - 1)] ?? null);
    this._keep();
    this._view.say(`${item.isOffered ? "Refused" : "Removed"} ${this._surface(item)}`);
    this._draw(true);
  }

  take(item = this.choice.active) {
    if (!item?.isOffered) return;
    this._changed(() => this.sheet.take(item), `${item.label}: ${this._surface(item)}`);
  }

  takeAll() {
    const count = this.sheet.takeAll();
    this._keep();
    this._view.say(`Taken: ${count}`);
    this._draw();
  }

  /** The same words as the chosen entity's, everywhere in the document. */
  everywhere() {
    const { active } = this.choice;
    if (!active) return this._view.say("Choose an entity first.");
    const places = this.text.occurrences(this.text.slice(active.start, active.end));
    const added = this.sheet.addAll(places.map(([start, end]) => ({ start, end, label: active.label })));
    this.choice.select(this._itemLike(active));
    this._keep();
    this._view.say(`${this._surface(active)}: ${added} more`);
    this._draw();
  }

  /** Ask the endpoints of the dataset; what they say is offered beside what is there. */
  async ask() {
    const { id } = this.document;
    if (!this.margin.endpoints.length) return this._view.say("No language model elsewhere is set up for this dataset.");
    this._view.say(`Asking ${this.margin.endpoints.join(", ")}…`);
    try {
      const { suggestions, told } = await this.margin.ask();
      if (this.document?.id !== id) return;
      this.task.suggestions = [...this.task.suggestions, ...suggestions];
      const here = new Set(this.sheet.items.map(placeOf));
      const fresh = suggestions.filter((one) => !here.has(placeOf(one)));
      this.sheet.become([...this.sheet.items, ...fresh.map((one) => ({ ...one, origin: "model", isOffered: true }))].sort(byPlace));
      this._keep();
      this._view.say(told);
    } catch (error) {
      if (error.status === undefined) throw error;
      this._view.say(error.message);
    }
    this._draw();
  }

  /** Whether every version has to answer this document as it is settled. */
  async pin() {
    const { id, meta } = this.document;
    try {
      const told = await call("PUT", `/api/v1/documents/${id}/must-pass`, { required: !meta.must_pass });
      if (this.document?.id !== id) return;
      this.document.meta = told.meta;
      this._view.say(told.meta.must_pass ? "Every version must answer this document as it is settled." : "No version has to pass this document any more.");
    } catch (error) {
      if (error.status === undefined) throw error;
      this._view.say(error.message);
    }
    this._draw();
  }

  /** A comment on what is chosen, or on the document. */
  async comment(words) {
    const { active, target } = this.choice;
    const place = active ?? (target && { start: target[0], end: target[1] });
    await this._tell(() => this.margin.comment(words, place), "Your comment is kept.");
  }

  async settle(comment) {
    await this._tell(() => this.margin.settle(comment), comment.settled_at ? "The comment is open again." : "The comment is settled.");
  }

  async _tell(act, told) {
    try {
      await act();
      this._view.say(told);
    } catch (error) {
      if (error.status === undefined) throw error;
      this._view.say(error.message);
    }
  }

  undo() {
    this._travel(this.sheet.undo(), "Undone", "Nothing to undo");
  }

  redo() {
    this._travel(this.sheet.redo(), "Done again", "Nothing to do again");
  }

  /** One key for a difference between two versions: "left", "right", "both" or "neither" joins the answer. */
  adopt(choice) {
    if (!this.pairing) return;
    const refusal = this.pairing.adopt(this.sheet, choice);
    if (refusal) return this._view.say(refusal);
    this.choice.clear();
    this.pairing.goOn(this.sheet.items);
    this._keep();
    const open = this.pairing.open(this.sheet.items).length;
    this._view.say(open ? `Taken: ${this._named(choice)}. ${open} to decide.` : `Taken: ${this._named(choice)}. All is decided.`);
    this._draw(true);
  }

  stepDifference(direction) {
    this.pairing?.step(direction);
    this._draw(true);
  }

  pickDifference(place) {
    this.pairing.place = place;
    this._draw(true);
  }

  toggleQuiet() {
    if (!this.pairing) return;
    this.pairing.isQuiet = !this.pairing.isQuiet;
    this._view.say(this.pairing.isQuiet ? "Only what the versions differ on" : "Everything that the versions say");
    this._draw();
  }

  step(direction) {
    this.choice.step(this.text, direction);
    this._draw(true);
  }

  /** Move the end or the start of what is chosen. */
  stretch(side, direction) {
    const range = this.choice.moved(this.text, side, direction);
    if (!range) return;
    if (!this.choice.active) {
      this.choice.choose(range);
      return this._draw(true);
    }
    const active = this.choice.active;
    this._changed(() => this.sheet.replace(active, { start: range[0], end: range[1] }), this.text.slice(...range));
  }

  walk(direction) {
    const { items } = this.sheet;
    if (!items.length) return this._view.say("No entity here.");
    const { active, target } = this.choice;
    const place = active ? active.start : target ? target[0] : direction > 0 ? -1 : Infinity;
    const position = active
      ? items.indexOf(active) + direction
      : direction > 0
        ? items.findIndex((item) => item.start >= place)
        : items.findLastIndex((item) => item.start < place);
    this.select(items[(position + items.length) % items.length]);
  }

  toggleCharacters() {
    this.choice.isCharacterwise = !this.choice.isCharacterwise;
    this._view.say(this.choice.isCharacterwise ? "Choosing single characters" : "Snapping to words");
    this._draw();
  }

  leave() {
    this.choice.clear();
    this.pen = null;
    this.filter = "";
    this._draw();
  }

  find(filter) {
    this.filter = filter;
    this._draw();
  }

  /** A new name in the label set of the document's dataset. */
  async addLabel(label) {
    try {
      const told = await call("POST", `/api/v1/datasets/${encodeURIComponent(this.document.dataset)}/labels`, { labels: [label] });
      this.task.labels = told.labels;
      this.filter = "";
      this.label(label);
    } catch (error) {
      this._view.say(error.message);
    }
  }

  _changed(change, told) {
    this.choice.select(change());
    this.choice.select(this._itemLike(this.choice.active));
    this._keep();
    this._view.say(told);
    this._draw(true);
  }

  _travel(isDone, told, otherwise) {
    this.choice.clear();
    if (isDone) this._keep();
    this._view.say(isDone ? told : otherwise);
    this._draw();
  }

  _named(choice) {
    const { left, right } = this.pairing.pair;
    return { left: left.version, right: right.version }[choice] ?? choice;
  }

  /** Differences that nobody has decided hold an answer back once; asked again, they stay out of it. */
  _waitsForDecisions() {
    const open = this.pairing?.open(this.sheet.items).length ?? 0;
    if (!open || this._heldBack === this.document.id) return false;
    this._heldBack = this.document.id;
    this._view.say(`${open === 1 ? "1 difference is" : `${open} differences are`} not decided. Decide, or save again to leave them out.`);
    return true;
  }

  _itemLike(span) {
    return this.sheet.items.find((item) => isSame(item, span)) ?? null;
  }

  _surface(item) {
    return `“${this.text.slice(item.start, item.end)}”`;
  }

  _keep() {
    this._drafts.keep(this.document, this.sheet);
  }

  _leave() {
    this._visited = [...this._visited.filter((known) => known !== this.document.id), this.document.id];
  }

  async _load(ask) {
    if (this.isLoading) return;
    this._drafts.write();
    this.isLoading = true;
    try {
      this._show(await ask());
    } catch (error) {
      if (error.status === undefined) throw error;
      this.problem = { text: error.message, ways: [{ name: "Try again", act: () => this._load(ask) }] };
    } finally {
      this.isLoading = false;
      this._draw();
    }
  }

  _show(task) {
    this.task = task;
    this.problem = null;
    this.choice.clear();
    this.filter = "";
    this.pairing = task.document && task.pair ? new Pairing(task.pair) : null;
    this._heldBack = null;
    if (task.document) {
      const refused = this._refused.get(task.document.id);
      const draft = refused ? null : this._drafts.of(task.document);
      this.text = new IndexedText(task.document.text);
      const items = refused
        ? withOffers(task.document.spans, refused.entry.spans, "other")
        : (draft?.items ?? this._itemsOf(task));
      this.sheet = new Sheet(task.nesting, items, draft);
    }
    this.effort.begin();
    this._view.opened(this);
    // After the text is on the screen: the margin is no part of the work.
    if (task.document) afterPaint(() => !this.isClosed && this.margin.open(task.document));
  }

  _itemsOf(task) {
    if (this.decides) return withVotes(task.answers);
    return task.pair ? withPair(task.document, task.pair) : withOffers(task.document.spans, task.suggestions);
  }

  /** A refused answer comes back to the person: nothing that was typed is lost. */
  _onRefused(entry, error) {
    this._refused.set(entry.document_id, { entry, error });
    if (this.document?.id === entry.document_id) this.open(entry.document_id);
    this._draw();
  }

  _onStored(told) {
    if (told?.check?.outcome === "taken") this._view.say("One suggestion was wrong on purpose. It is not in your answer: read what is offered before you take it.");
  }

  _mergeNotice({ entry, error }) {
    const mine = () => {
      this.sheet.become(entry.spans.map((span) => ({ ...span, origin: "person", isOffered: false })));
      this._settle(entry.document_id, "Your answer stands; save it to store it.");
    };
    const keep = () => {
      this.sheet.become(this.sheet.standing);
      this._settle(entry.document_id, "What is stored stays.");
    };
    const isStale = error.kind === "stale_correction";
    const text = isStale
      ? `${error.message} What is stored stands below; where your answer differs, it is offered.`
      : `Your answer was refused: ${error.message} It is offered below.`;
    return { text, ways: [{ name: "Use mine", act: mine }, { name: "Keep what is stored", act: keep }] };
  }

  _settle(documentId, told) {
    this._refused.delete(documentId);
    this._keep();
    this._view.say(told);
    this._draw();
  }

  _draw(isMoved = false) {
    if (!this.isClosed) this._view.draw(this, isMoved);
  }
}

function sendAnswer({ document_id: documentId, decides, ...answer }) {
  const path = `/api/v1/documents/${encodeURIComponent(documentId)}`;
  if (!decides) return call("POST", `${path}/annotations`, answer, { keepalive: true });
  const { base_revision, operation_id, spans } = answer;
  return call("POST", `${path}/decision`, { base_revision, operation_id, spans }, { keepalive: true });
}
