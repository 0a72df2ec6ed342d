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

/** What two items share that are the same span: its place and its label. */
export function placeOf(item) {
  return `${item.start} ${item.end} ${item.label}`;
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
  const known = new Set(stored.map(placeOf));
  const fresh = offers.filter((offer) => !known.has(placeOf(offer)));
  return [
    ...stored.map((item) => ({ ...item, origin: item.origin ?? "stored", isOffered: false })),
    ...fresh.map((offer) => ({ ...offer, origin, isOffered: true })),
  ].sort(byPlace);
}

/** What several people said, [{author, spans}]: what all of them said stands, everything else is offered with its voters. */
export function withVotes(answers) {
  const found = new Map();
  for (const { author, spans } of answers) {
    for (const { start, end, label } of spans) {
      const key = `${start} ${end} ${label}`;
      if (!found.has(key)) found.set(key, { start, end, label, origin: "vote", voters: [] });
      found.get(key).voters.push(author);
    }
  }
  return [...found.values()].map((item) => ({ ...item, isOffered: item.voters.length < answers.length })).sort(byPlace);
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

const STRIP = 64;

/** Items by the strips of text that they touch: what can conflict with a span shares a strip with it. */
class Ground {
  constructor(items) {
    this._strips = new Map();
    for (const item of items) this.add(item);
  }

  add(item) {
    for (const strip of stripsOf(item)) {
      if (!this._strips.has(strip)) this._strips.set(strip, []);
      this._strips.get(strip).push(item);
    }
  }

  near(span) {
    return stripsOf(span).flatMap((strip) => this._strips.get(strip) ?? []);
  }
}

function stripsOf({ start, end }) {
  const first = Math.floor(start / STRIP);
  return Array.from({ length: Math.floor((end - 1) / STRIP) - first + 1 }, (_, index) => first + index);
}

export class Sheet {
  /** `history`: {past, future} of an earlier sheet with these items; each step is {removed, added}. */
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
    this._step(displaced, [item]);
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
    this._step([item], []);
  }

  replace(item, changes) {
    const made = { ...item, ...changes, origin: "person", isOffered: false };
    delete made.confidence;
    delete made.voters;
    const rest = this.items.filter((other) => other !== item);
    const displaced = conflicting(rest, made, this.nesting);
    this._step([item, ...displaced], [made]);
    return made;
  }

  /** Take an offer as it is; what stood in its place goes. */
  take(item) {
    const taken = { ...item, isOffered: false };
    const rest = this.items.filter((other) => other !== item);
    const displaced = conflicting(rest, taken, this.nesting).filter((other) => !other.isOffered);
    this._step([item, ...displaced], [taken]);
    return taken;
  }

  /** Take every offer that displaces nothing. */
  takeAll() {
    const items = this.standing;
    const before = items.length;
    const ground = new Ground(items);
    for (const offer of this.offered) {
      const taken = { ...offer, isOffered: false };
      if (conflicting(ground.near(taken), taken, this.nesting).length) continue;
      items.push(taken);
      ground.add(taken);
    }
    const places = new Set(items.map(placeOf));
    if (items.length > before) this.become([...items, ...this.offered.filter((offer) => !places.has(placeOf(offer)))]);
    return items.length - before;
  }

  undo() {
    const step = this.past.pop();
    if (!step) return false;
    this.future.push(step);
    this.items = changed(this.items, step.added, step.removed);
    return true;
  }

  redo() {
    const step = this.future.pop();
    if (!step) return false;
    this.past.push(step);
    this.items = changed(this.items, step.removed, step.added);
    return true;
  }

  /** Go on to these items; the way back is kept as what it takes away and what it brings. */
  become(items) {
    const [before, after] = [new Set(this.items), new Set(items)];
    const removed = this.items.filter((item) => !after.has(item));
    const added = items.filter((item) => !before.has(item));
    this._step(removed, added);
  }

  _step(removed, added) {
    this.past.push({ removed, added });
    this.future = [];
    this.items = changed(this.items, removed, added);
  }
}

function changed(items, removed, added) {
  const gone = new Set(removed);
  let rest = items.filter((item) => !gone.has(item));
  if (rest.length !== items.length - removed.length) {
    const identities = new Set(removed.map(identityOf));
    rest = items.filter((item) => !identities.has(identityOf(item)));
  }
  return [...rest, ...added].sort(byPlace);
}

/** What makes two items one: steps that outlived a reload hold copies. */
function identityOf(item) {
  return `${item.start} ${item.end} ${item.isOffered} ${item.origin} ${item.label}`;
}
