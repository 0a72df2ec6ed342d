// The answer in the making: spans that stand, spans that are offered, and the way back and forth between states.

/**
 * An item: {start, end, label, isOffered, origin, confidence}. `origin` is "stored", "model", "person" or "other";
 * what is offered joins the answer only when a person takes it.
 */
export function byPlace(one, other) {
  return one.start - other.start || other.end - one.end || (one.label < other.label ? -1 : one.label > other.label ? 1 : 0);
}

export function isSame(one, other) {
  return one.start === other.start && one.end === other.end && one.label === other.label;
}

function overlaps(one, other) {
  return one.start < other.end && other.start < one.end;
}

function crosses(one, other) {
  const [first, second] = one.start <= other.start ? [one, other] : [other, one];
  return first.start < second.start && second.start < first.end && first.end < second.end;
}

/** What cannot stand beside `span` under the label set's rule: "flat", "nested" or "any". */
export function conflicting(items, span, nesting) {
  return items.filter((item) => {
    if (isSame(item, span)) return true;
    if (nesting === "flat") return overlaps(item, span);
    return nesting === "nested" && crosses(item, span);
  });
}

/** What is offered beside the stored spans: each suggestion that is not stored already. */
export function withOffers(stored, offers, origin = "model") {
  const fresh = offers.filter((offer) => !stored.some((item) => isSame(item, offer)));
  return [
    ...stored.map((item) => ({ ...item, origin: item.origin ?? "stored", isOffered: false })),
    ...fresh.map((offer) => ({ ...offer, origin, isOffered: true })),
  ].sort(byPlace);
}

/** The layer of each item, 0 for the outermost: spans that overlap never share one. */
export function layers(items) {
  const ends = [];
  return items.map((item) => {
    let layer = ends.findIndex((end) => end <= item.start);
    if (layer < 0) layer = ends.length;
    ends[layer] = item.end;
    return layer;
  });
}

export class Sheet {
  constructor(nesting, items, history = null) {
    this.nesting = nesting;
    this.items = items;
    this.past = history ? history.past : [];
    this.future = history ? history.future : [];
  }

  get standing() {
    return this.items.filter((item) => !item.isOffered);
  }

  get offered() {
    return this.items.filter((item) => item.isOffered);
  }

  get isChanged() {
    return this.past.length > 0;
  }

  /** Put a span down; what it displaces is returned. The same span again changes nothing. */
  add(span, origin = "person") {
    const item = { ...span, origin, isOffered: false };
    const displaced = conflicting(this.items, item, this.nesting);
    if (displaced.length === 1 && isSame(displaced[0], item) && !displaced[0].isOffered) return [];
    this.become([...this.items.filter((other) => !displaced.includes(other)), item]);
    return displaced.filter((other) => !isSame(other, item) && !other.isOffered);
  }

  addAll(spans) {
    const before = this.items;
    let items = this.items;
    for (const span of spans) {
      const item = { ...span, origin: "person", isOffered: false };
      const displaced = conflicting(items, item, this.nesting);
      if (displaced.some((other) => !other.isOffered)) continue;
      items = [...items.filter((other) => !displaced.includes(other)), item];
    }
    const added = items.length - before.filter((item) => items.includes(item)).length;
    if (added) this.become(items);
    return added;
  }

  remove(item) {
    this.become(this.items.filter((other) => other !== item));
  }

  replace(item, changes) {
    const changed = { ...item, ...changes, origin: "person", isOffered: false };
    delete changed.confidence;
    const rest = this.items.filter((other) => other !== item);
    const displaced = conflicting(rest, changed, this.nesting);
    this.become([...rest.filter((other) => !displaced.includes(other)), changed]);
    return changed;
  }

  /** Take an offer as it is; what stood in its place goes. */
  take(item) {
    const taken = { ...item, isOffered: false };
    const rest = this.items.filter((other) => other !== item);
    const displaced = conflicting(rest, taken, this.nesting).filter((other) => !other.isOffered);
    this.become([...rest.filter((other) => !displaced.includes(other)), taken]);
    return taken;
  }

  /** Take every offer that displaces nothing. */
  takeAll() {
    let items = this.standing;
    for (const offer of this.offered) {
      const taken = { ...offer, isOffered: false };
      if (!conflicting(items, taken, this.nesting).length) items = [...items, taken];
    }
    const count = items.length - this.standing.length;
    if (count) this.become([...items, ...this.offered.filter((offer) => !items.some((item) => isSame(item, offer)))]);
    return count;
  }

  undo() {
    if (!this.past.length) return false;
    this.future.push(this.items);
    this.items = this.past.pop();
    return true;
  }

  redo() {
    if (!this.future.length) return false;
    this.past.push(this.items);
    this.items = this.future.pop();
    return true;
  }

  become(items) {
    this.past.push(this.items);
    this.future = [];
    this.items = [...items].sort(byPlace);
  }
}
