// The editor as a Streamlit component: it draws the desk, and turns keys and pointer into what the desk does.

import { labelColour } from "./colours.js";
import { Desk } from "./desk.js";
import { element, plural } from "./element.js";
import { KeyDialog } from "./keydialog.js";
import { actionOf, bind } from "./keys.js";
import { MarginView } from "./marginalia.js";
import { call } from "./outbox.js";
import { Panes } from "./panes.js";
import { Paper } from "./paper.js";
import { buttonWithKey, drawLabels, drawNotice, EntityList, savingState } from "./panels.js";

const running = new WeakMap();

export default function mount({ data, parentElement }) {
  const identity = JSON.stringify(data);
  if (running.get(parentElement)?.identity === identity) return undefined;
  running.get(parentElement)?.editor.close();
  const editor = new Editor(parentElement, data);
  running.set(parentElement, { identity, editor });
  editor.begin();
  return () => {
    editor.close();
    running.delete(parentElement);
  };
}

/** Which documents come, as the API is asked for them. */
function basisOf({ source, dataset, order, pair }) {
  const where = source ? { source } : { dataset };
  return pair ? { ...where, left: pair[0], right: pair[1] } : { ...where, order: order ?? "uncorrected" };
}

class Editor {
  constructor(root, data) {
    this._root = root.querySelector(".editor");
    this._data = data;
    this._colourOf = (label) => labelColour(label, data.colours);
    const find = (name) => this._root.querySelector(`.${name}`);
    this._parts = Object.fromEntries(
      ["why", "saving", "notice", "labels", "filter", "paper", "list", "count", "margin", "actions", "live", "done", "work"].map((name) => [name, find(name)]),
    );
    this._paper = new Paper(this._parts.paper, root.querySelector("style.paint"), this._colourOf);
    this._panes = new Panes(this._root.querySelector(".pair"), root.querySelector("style.paint"), this._colourOf, {
      onChoose: (choice) => this._chose(() => this._desk.adopt(choice)),
      onStep: (direction) => this._chose(() => this._desk.stepDifference(direction)),
      onQuiet: () => this._chose(() => this._desk.toggleQuiet()),
      onPick: (place) => this._chose(() => this._desk.pickDifference(place)),
    });
    const basis = basisOf(data);
    this._desk = new Desk(basis, { draw: (desk, isMoved) => this._draw(desk, isMoved), opened: (desk) => this._opened(desk), say: (text) => this._say(text) });
    this._list = new EntityList(this._parts.list, {
      surfaceOf: (item) => this._desk.text.slice(item.start, item.end),
      colourOf: this._colourOf,
      onSelect: (item) => this._chose(() => this._desk.select(item)),
      onTake: (item) => this._chose(() => this._desk.take(item)),
      onRemove: (item) => this._chose(() => this._desk.remove(item)),
    });
    this._margin = new MarginView(this._parts.margin, {
      colourOf: this._colourOf,
      onComment: (words) => this._chose(() => words && this._comment(words)),
      onSettle: (comment) => this._chose(() => this._desk.settle(comment)),
      onPlace: ({ start, end }) => this._chose(() => (this._desk.choice.choose([start, end]), this._draw(this._desk, true))),
    });
    this._help = new KeyDialog({
      save: (bindings) => call("PUT", "/api/v1/preferences/keys", { bindings }),
      onBound: () => this._drawActions(),
      onClose: () => this._help.close(),
    });
    this._root.append(this._help.element);
    this._ending = new AbortController();
  }

  begin() {
    const { signal } = this._ending;
    this._drawActions();
    this._root.addEventListener("keydown", (event) => this._onKey(event), { signal });
    this._parts.paper.addEventListener("pointerdown", (event) => this._onDown(event), { signal });
    this._parts.paper.addEventListener("pointermove", (event) => this._onMove(event), { signal });
    this._parts.paper.addEventListener("pointerup", (event) => this._onUp(event), { signal });
    this._parts.paper.addEventListener("pointercancel", () => (this._drag = null), { signal });
    this._parts.filter.addEventListener("input", () => this._desk.find(this._parts.filter.value), { signal });
    window.addEventListener("online", () => this._desk.outbox.flush(), { signal });
    window.addEventListener("pagehide", () => this._desk.putAway(), { signal });
    window.addEventListener("beforeunload", (event) => this._onUnload(event), { signal });
    this._root.addEventListener("pointerdown", () => this._desk.effort.note(), { signal });
    this._bindKeys();
    this._desk.start(this._data.document);
  }

  /** The person's own keys; without them those that the editor comes with hold. */
  async _bindKeys() {
    const told = await call("GET", "/api/v1/preferences/keys").catch(() => ({ bindings: {} }));
    bind(told.bindings);
    this._drawActions();
    this._help.showBound();
  }

  async _comment(words) {
    await this._desk.comment(words);
    this._margin.field.value = "";
  }

  close() {
    this._ending.abort();
    this._desk.close();
    this._paper.close();
    this._panes.close();
    this._help.remove();
  }

  // --- drawing ---

  _opened(desk) {
    const { document: opened } = desk;
    this._parts.done.hidden = Boolean(opened);
    this._parts.work.hidden = !opened;
    if (!opened) {
      this._parts.done.querySelector("span").textContent = desk.task.reason;
      this._say(desk.task.reason);
      return;
    }
    this._root.classList.toggle("pairing", Boolean(desk.pairing));
    this._panes.opened(desk.text, desk.pairing);
    this._paper.show(desk.text);
    this._list.show();
    this._drag = null;
    const isFocused = this._root.getRootNode().activeElement === this._parts.paper;
    if (!isFocused && this._ownsFocus()) this._parts.paper.focus({ preventScroll: true });
  }

  /** Whether the editor may take the focus: nobody is typing elsewhere on the page. */
  _ownsFocus() {
    const focused = document.activeElement;
    return focused === null || focused === document.body || this._root.contains(focused) || this._root.getRootNode().host === focused;
  }

  _draw(desk, isMoved) {
    this._drawSaving(desk);
    drawNotice(this._parts.notice, desk.notice);
    if (!desk.document) return;
    // The paper reads where things are, and so comes before whatever moves them.
    this._paper.paint(desk.sheet.items, desk.choice.active, this._drag?.range ?? desk.choice.target);
    this._list.draw(desk.sheet.items, desk.choice.active);
    this._panes.draw(desk.text, desk.sheet.items);
    this._drawHead(desk);
    this._drawLabels(desk);
    this._margin.draw(desk.margin, desk.choice.active, desk.pen);
    if (this._parts.filter.value !== desk.filter) this._parts.filter.value = desk.filter;
    this._root.classList.toggle("characters", desk.choice.isCharacterwise);
    const chosen = desk.choice.active ?? (desk.choice.target && { start: desk.choice.target[0], end: desk.choice.target[1] });
    if (isMoved && chosen) this._paper.reveal(chosen);
    if (isMoved) this._list.reveal();
  }

  _drawSaving(desk) {
    const { state, text } = savingState(desk.outbox);
    if (this._parts.saving.textContent === text) return;
    this._parts.saving.className = `saving ${state}`;
    this._parts.saving.textContent = text;
  }

  _drawLabels(desk) {
    const state = JSON.stringify([desk.task.labels, desk.pen, desk.filter, [...desk.margin.guidelines.values()].map((one) => [one.label, one.version])]);
    if (state === this._labelsState) return;
    this._labelsState = state;
    this._shownLabels = drawLabels(this._parts.labels, desk.task.labels, {
      colourOf: this._colourOf,
      pen: desk.pen,
      filter: desk.filter,
      mayAdd: this._data.mayAddLabels,
      meaningOf: (label) => desk.margin.guidelines.get(label)?.words ?? "",
      onChoose: (label) => this._chose(() => desk.label(label)),
      onAdd: (label) => this._chose(() => desk.addLabel(label)),
    });
  }

  _drawHead(desk) {
    const { task, sheet } = desk;
    const left = task.remaining ? ` · ${plural(task.remaining, "document")} left` : "";
    const pinned = desk.document.meta?.must_pass ? " · 📌 every version must pass it" : "";
    this._parts.why.textContent = `${task.reason}${left}${pinned}`;
    const offered = sheet.offered.length;
    const joins = desk.document.revision === 0 && !desk.decides ? "offered, taken when you save" : "offered";
    this._parts.count.textContent = `${plural(sheet.standing.length, "entity", "entities")}${offered ? `, ${offered} ${joins}` : ""}`;
  }

  _drawActions() {
    const desk = this._desk;
    const acts = [
      ["Back", "back", () => desk.back()],
      ["Skip", "skip", () => desk.skip()],
      ["Undo", "undo", () => desk.undo()],
      ["Redo", "redo", () => desk.redo()],
      ["Keys", "help", () => this._showHelp()],
    ].map(([name, action, act]) => buttonWithKey(name, action, () => this._chose(act)));
    const save = buttonWithKey("Save and next", "save", () => this._chose(() => desk.save()), "primary");
    this._parts.actions.replaceChildren(...acts, element("span", { class: "grow" }), save);
  }

  /** Do what a button says, and give the keys back to the text. */
  _chose(act) {
    act();
    if (!this._help.open) this._parts.paper.focus({ preventScroll: true });
  }

  _say(text) {
    this._parts.live.textContent = text;
  }

  _showHelp() {
    this._help.showModal();
  }

  // --- keys ---

  _onKey(event) {
    // Streamlit has keys of its own on the page (r, c): none may hear what is meant for the text.
    event.stopPropagation();
    this._desk.effort.note(true);
    if (this._help.open || event.isComposing || event.target === this._margin.field) return;
    if (event.target === this._parts.filter) return this._onFilterKey(event);
    const isButton = event.target.closest?.("button") && (event.key === "Enter" || event.key === " ");
    const meant = isButton ? null : actionOf(event);
    if (!meant) return;
    event.preventDefault();
    this._act(meant);
  }

  _onFilterKey(event) {
    if (event.key === "Escape") this._chose(() => this._desk.find(""));
    if (event.key !== "Enter") return;
    event.preventDefault();
    const [first] = this._shownLabels ?? [];
    if (first) this._chose(() => (this._desk.find(""), this._desk.label(first)));
    else this._parts.labels.querySelector(".add")?.click();
  }

  _act({ action, position }) {
    const desk = this._desk;
    if (action === "help") return this._showHelp();
    if (!desk.document) return action === "back" ? desk.back() : undefined;
    const acts = {
      label: () => desk.task.labels[position] && desk.label(desk.task.labels[position]),
      save: () => desk.save(),
      skip: () => desk.skip(),
      back: () => desk.back(),
      right: () => desk.step(1),
      left: () => desk.step(-1),
      down: () => this._stepLine(1),
      up: () => this._stepLine(-1),
      endRight: () => desk.stretch("end", 1),
      endLeft: () => desk.stretch("end", -1),
      startLeft: () => desk.stretch("start", -1),
      startRight: () => desk.stretch("start", 1),
      characters: () => desk.toggleCharacters(),
      nextEntity: () => desk.walk(1),
      previousEntity: () => desk.walk(-1),
      remove: () => desk.remove(),
      take: () => desk.take(),
      takeAll: () => desk.takeAll(),
      everywhere: () => desk.everywhere(),
      adoptLeft: () => desk.adopt("left"),
      adoptBoth: () => desk.adopt("both"),
      adoptRight: () => desk.adopt("right"),
      adoptNeither: () => desk.adopt("neither"),
      nextDifference: () => desk.stepDifference(1),
      previousDifference: () => desk.stepDifference(-1),
      quiet: () => desk.toggleQuiet(),
      filter: () => this._parts.filter.focus(),
      comment: () => this._margin.field.focus(),
      ask: () => desk.ask(),
      pin: () => desk.pin(),
      undo: () => desk.undo(),
      redo: () => desk.redo(),
      leave: () => desk.leave(),
    };
    acts[action]();
  }

  /** The word on the line above or below what is chosen. */
  _stepLine(direction) {
    const desk = this._desk;
    const { active, target } = desk.choice;
    const from = active ?? (target && { start: target[0], end: target[1] });
    const rectangle = from && this._paper.rectangleOf(from);
    if (!rectangle) return desk.step(direction);
    this._paper.reveal(from);
    const now = this._paper.rectangleOf(from);
    const height = parseFloat(getComputedStyle(this._parts.paper).lineHeight);
    const point = this._paper.pointAt(now.left + 2, now.top + now.height / 2 + direction * height);
    const range = point === null ? null : desk.text.snapped(point, point + 1);
    if (!range || range[0] === from.start) return desk.step(direction);
    desk.choose(range);
    this._paper.reveal({ start: range[0], end: range[1] });
  }

  // --- pointer ---

  _onDown(event) {
    if (event.button !== 0 || !this._desk.document) return;
    const chip = event.target.closest?.(".chip");
    if (chip) return this._onChip(event, chip);
    const point = this._paper.pointAt(event.clientX, event.clientY);
    if (point === null) return;
    event.preventDefault();
    this._parts.paper.focus({ preventScroll: true });
    this._parts.paper.setPointerCapture(event.pointerId);
    this._drag = { from: point, x: event.clientX, y: event.clientY, range: null, isExact: event.altKey };
  }

  _onChip(event, chip) {
    event.preventDefault();
    const { start, end, label } = chip.dataset;
    const item = this._desk.sheet.items.find((one) => one.start === Number(start) && one.end === Number(end) && one.label === label);
    if (item) this._chose(() => this._desk.select(item));
  }

  _onMove(event) {
    const drag = this._drag;
    if (!drag) return;
    const point = this._paper.pointAt(event.clientX, event.clientY);
    const hasMoved = Math.abs(event.clientX - drag.x) + Math.abs(event.clientY - drag.y) > 3;
    if (point === null || !hasMoved) return;
    const [start, end] = drag.from <= point ? [drag.from, point] : [point, drag.from];
    const { text, choice } = this._desk;
    drag.range = drag.isExact || choice.isCharacterwise ? text.trimmed(start, end) : text.snapped(start, Math.max(end, start + 1));
    this._paper.paint(this._desk.sheet.items, null, drag.range);
  }

  _onUp(event) {
    const drag = this._drag;
    this._drag = null;
    if (!drag) return;
    if (drag.range) return this._desk.choose(drag.range);
    this._onClick(event, drag.from);
  }

  /** A click chooses the innermost entity under it, then the next one around it; or the word. */
  _onClick(event, point) {
    const desk = this._desk;
    const here = desk.sheet.items
      .filter((item) => item.start <= point && point <= item.end && this._paper.covers(item, event.clientX, event.clientY))
      .sort((one, other) => one.end - one.start - (other.end - other.start));
    if (here.length) return desk.select(here[(here.indexOf(desk.choice.active) + 1) % here.length]);
    const range = desk.text.snapped(point, point + 1);
    const isHit = range && this._paper.covers({ start: range[0], end: range[1] }, event.clientX, event.clientY);
    if (isHit) desk.choose(range);
    else desk.leave();
  }

  _onUnload(event) {
    if (this._desk.outbox.entries.length && this._desk.outbox.problem) event.preventDefault();
  }
}
