// What stands around the text: the labels, the list of entities, notices, the state of saving, the page of keys.

import { afterPaint, element, plural } from "./element.js";
import { LABEL_KEYS, keyOf } from "./keys.js";

const LISTED = 150;
const FIRST_ROWS = 30;
const ROWS_AT_A_TIME = 40;

/** The buttons of the labels, and the field that finds one by its name. `mayAdd` lets a new name become a label;
 * `meaningOf(label)` is what its guideline says, or "". */
export function drawLabels(host, labels, { colourOf, pen, filter, mayAdd, meaningOf, onChoose, onAdd }) {
  const wanted = filter.trim().toLowerCase();
  const shown = labels.map((label, position) => ({ label, position })).filter(({ label }) => label.toLowerCase().includes(wanted));
  const buttons = shown.map(({ label, position }) =>
    element(
      "button",
      {
        type: "button",
        class: `label${label === pen ? " pen" : ""}`,
        style: `--label:${colourOf(label)}`,
        "aria-pressed": String(label === pen),
        title: [label === pen ? "Every choice gets this label; press again to stop" : `Label as ${label}`, meaningOf(label)].filter(Boolean).join("\n\n"),
        "data-label": label,
        onclick: () => onChoose(label),
      },
      label,
      position < LABEL_KEYS.length ? element("kbd", { text: LABEL_KEYS[position] }) : null,
    ),
  );
  const isNew = wanted && !labels.some((label) => label.toLowerCase() === wanted);
  if (isNew && mayAdd) {
    const name = filter.trim();
    buttons.push(
      element("button", { type: "button", class: "plain add", onclick: () => onAdd(name) }, `Add the label “${name}”`),
    );
  } else if (!buttons.length) {
    buttons.push(element("span", { class: "hint", text: labels.length ? "No label has this name." : "This dataset has no label yet." }));
  }
  host.replaceChildren(...buttons);
  return shown.map(({ label }) => label);
}

/** The entities in the order of the text: one row each, what is offered with its two answers. */
export class EntityList {
  /** `acts`: surfaceOf(item), colourOf(label), onSelect(item), onTake(item), onRemove(item). */
  constructor(host, acts) {
    this._host = host;
    this._acts = acts;
    this._rows = new Map();
    this._open = 0;
    this.show();
  }

  /** Forget every row: another document comes. Its first rows are drawn with its text, the others when it is painted. */
  show() {
    this._open += 1;
    this._items = null;
    this._active = null;
    this._limit = FIRST_ROWS;
    this._rows.clear();
    this._host.replaceChildren();
    const opened = this._open;
    afterPaint(() => this._listMore(opened));
  }

  /** Some rows at a time, so that no key has to wait for all of them. */
  _listMore(opened) {
    if (this._open !== opened || this._limit >= LISTED) return;
    this._limit = Math.min(this._limit + ROWS_AT_A_TIME, LISTED);
    if (this._items?.length > this._limit - ROWS_AT_A_TIME) this._arrange(this._items);
    this._mark(this._active, true);
    setTimeout(() => this._listMore(opened));
  }

  draw(items, active) {
    if (items !== this._items) this._arrange(items);
    if (active === this._active && items === this._items) return;
    this._items = items;
    this._mark(this._active, false);
    this._mark(active, true);
    this._active = active;
  }

  /** Bring the chosen row into view. */
  reveal() {
    this._rows.get(this._active)?.scrollIntoView({ block: "nearest" });
  }

  /** Rows of items that stay are not touched: laying out a long list anew is what takes time. */
  _arrange(items) {
    const listed = new Set(items.slice(0, this._limit));
    for (const [item, row] of this._rows) {
      if (listed.has(item)) continue;
      row.remove();
      this._rows.delete(item);
    }
    let place = this._host.firstChild;
    for (const item of listed) {
      const row = this._rows.get(item) ?? this._row(item);
      this._rows.set(item, row);
      if (row === place) place = place.nextSibling;
      else this._host.insertBefore(row, place);
    }
    while (place) {
      const next = place.nextSibling;
      place.remove();
      place = next;
    }
    if (items.length > this._limit) this._host.append(hint(`and ${plural(items.length - this._limit, "more", "more")}`));
    if (!items.length) this._host.append(hint("No entity. Drag over words, or move with the arrow keys and press a label's key."));
  }

  _mark(item, isActive) {
    const row = this._rows.get(item);
    if (!row) return;
    row.classList.toggle("active", isActive);
    if (isActive) row.firstChild.setAttribute("aria-current", "true");
    else row.firstChild.removeAttribute("aria-current");
  }

  _row(item) {
    const { surfaceOf, colourOf, onSelect, onTake, onRemove } = this._acts;
    const sure = sureOf(item);
    const surface = surfaceOf(item).replace(/\s+/g, " ");
    const name = `${surface}, ${item.label}${item.isOffered ? ", offered" : ""}${sure ? `, ${item.voters ? `said ${sure}` : `${sure} sure`}` : ""}`;
    const small = (sign, verb, act) =>
      element("button", { type: "button", class: "small", title: `${verb} it`, "aria-label": `${verb} ${name}`, onclick: () => act(item) }, sign);
    return element(
      "li",
      { class: `row${item.isOffered ? " offered" : ""}`, style: `--label:${colourOf(item.label)}` },
      element(
        "button",
        { type: "button", class: "entity", "aria-label": name, onclick: () => onSelect(item) },
        element("span", { class: "surface", text: surface }),
        element("span", { class: "tag", text: item.label }),
        sure ? element("span", { class: "sure", text: sure }) : null,
      ),
      item.isOffered ? small("✓", "Take", onTake) : null,
      small("✕", item.isOffered ? "Refuse" : "Remove", onRemove),
    );
  }
}

function hint(text) {
  return element("li", { class: "hint", text });
}

/** Who said it, or how sure its source is; the model is not named, for it is the one that offers most. */
function sureOf(item) {
  if (item.voters) return item.voters.join(", ");
  const percent = item.confidence === undefined || item.confidence === null ? "" : `${Math.round(100 * item.confidence)} %`;
  const source = item.isOffered && item.source && item.source !== "model" ? item.source : "";
  return [source, percent].filter(Boolean).join(" ");
}

/** What stands over the text when something has to be settled: a sentence, and the ways out. */
export function drawNotice(host, notice) {
  if (notice === null && host.hidden) return;
  host.hidden = notice === null;
  if (notice === null) return host.replaceChildren();
  const ways = notice.ways.map(({ name, act }) => element("button", { type: "button", class: "plain", onclick: act, text: name }));
  host.replaceChildren(element("span", { text: notice.text }), element("span", { class: "ways" }, ...ways));
}

/** What the person can trust about saving; it says "saved" only for what the server has confirmed. */
export function savingState(outbox) {
  const waiting = outbox.entries.length;
  if (outbox.problem?.status === 401) return { state: "stuck", text: `Signed out: ${plural(waiting, "answer")} kept here. Sign in again in another tab.` };
  if (outbox.problem && waiting) return { state: "stuck", text: `${plural(waiting, "answer")} not saved yet: ${outbox.problem.message} Trying again.` };
  if (waiting) return { state: "busy", text: `Saving ${plural(waiting, "answer")}…` };
  return { state: "saved", text: outbox.stored ? `Saved, ${plural(outbox.stored, "document")} in this visit` : "Nothing unsaved" };
}

export function buttonWithKey(name, action, act, kind = "plain") {
  return element("button", { type: "button", class: kind, onclick: act, "data-action": action }, element("span", { text: name }), element("kbd", { text: keyOf(action) }));
}
