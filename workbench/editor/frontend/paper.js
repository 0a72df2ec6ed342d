// The text on the screen: one text node a paragraph, entities painted by the CSS Custom Highlight API, names as chips.

import { afterPaint } from "./element.js";
import { byPlace, layers } from "./sheet.js";

const DEEPEST = 3;
const CHIP_GAP_PIXELS = 3;
const FIRST_UNITS = 4000;
const FIRST_PARAGRAPHS = 60;
const PARAGRAPHS_AT_A_TIME = 100;
let instances = 0;

export class Paper {
  /** `host` receives the paragraphs; `styles` is a <style> of the same root; `colourOf` gives a label's colour. */
  constructor(host, styles, colourOf) {
    this._host = host;
    this._styles = styles;
    this._colourOf = colourOf;
    this._prefix = `ner${(instances += 1)}`;
    this._highlights = new Map();
    this._names = new Map();
    this._widths = new Map();
    this._forget();
    this._watcher = new IntersectionObserver((entries) => this._onSight(entries), { root: host, rootMargin: "200px" });
    this._resizes = new ResizeObserver(() => this._drawChips(this._visible));
    this._resizes.observe(host);
    this._rule(`${this._prefix}-active`, "background-color: var(--active);");
    this._rule(`${this._prefix}-target`, "background-color: var(--target);");
  }

  /** Forget the text and everything that is painted. */
  close() {
    this._text = null;
    this._watcher.disconnect();
    this._resizes.disconnect();
    for (const name of this._highlights.keys()) CSS.highlights.delete(name);
  }

  /** Show another text. */
  show(text) {
    this._text = text;
    this._watcher.disconnect();
    for (const highlight of this._highlights.values()) highlight.clear();
    this._forget();
    this._paragraphs = paragraphsOf(text.text).map(([start, content], index) => paragraph(start, content, index));
    this._paragraphOfNode = new Map(this._paragraphs.map((one) => [one.node, one]));
    this._unveiled = this._firstParagraphs();
    // Before the text is there: to scroll afterwards would make the browser lay it out at once.
    this._host.scrollTop = 0;
    this._host.replaceChildren();
    this._attach(this._unveiled.size);
    // What is far below the window waits until the text is painted.
    afterPaint(() => this._attachMore(text));
  }

  /** Some paragraphs at a time, so that no key has to wait for all of them. */
  _attachMore(text) {
    if (this._text !== text || this._attached >= this._paragraphs.length) return;
    this._attach(this._attached + PARAGRAPHS_AT_A_TIME);
    setTimeout(() => this._attachMore(text));
  }

  /** Put the paragraphs before `end` on the page, those that are not there yet. */
  _attach(end) {
    const fresh = this._paragraphs.slice(this._attached, end);
    this._attached = Math.max(this._attached, end);
    this._host.append(...fresh.map((one) => one.element));
    for (const one of fresh) this._watcher.observe(one.element);
  }

  /** Paint `items`; `active` is one of them or null, `target` a range [start, end) or null. Only changes cost time. */
  paint(items, active, target) {
    const stale = new Set();
    this._paintItems(items, stale);
    for (const item of [this._active, active]) {
      const drawn = item !== null && active !== this._active && this._drawn.get(item);
      if (drawn) stale.add(drawn.index);
    }
    this._active = active;
    this._mark("active", 2, active);
    this._mark("target", 3, target && { start: target[0], end: target[1] });
    this._drawChips(new Set([...stale].filter((index) => this._visible.has(index))));
  }

  /** The code point under a place of the window, or null outside of the text. */
  pointAt(x, y) {
    const place = document.caretPositionFromPoint?.(x, y, { shadowRoots: [this._host.getRootNode()] });
    const found = place && this._paragraphOfNode.get(place.offsetNode);
    return found ? this._text.point(Math.min(found.start + place.offset, this._text.text.length)) : null;
  }

  /** Whether a place of the window lies on the glyphs of [start, end). */
  covers(item, x, y) {
    return this._rectangles(item).some((one) => x >= one.left && x <= one.right && y >= one.top && y <= one.bottom);
  }

  rectangleOf(item) {
    return this._rectangles(item)[0] ?? null;
  }

  /** Bring a place into view, without moving what is in view already. */
  reveal(item) {
    const rectangle = this.rectangleOf(item);
    if (!rectangle) return;
    const frame = this._host.getBoundingClientRect();
    if (rectangle.top < frame.top + 8) this._host.scrollTop -= frame.top + 24 - rectangle.top;
    else if (rectangle.bottom > frame.bottom - 24) this._host.scrollTop += rectangle.bottom - frame.bottom + 48;
  }

  _forget() {
    this._paragraphs = [];
    this._attached = 0;
    this._items = null;
    this._active = null;
    this._drawn = new Map();
    this._visible = new Set();
    this._unveiled = new Set();
  }

  /** Put and erase what changed since the last time; `stale` collects the paragraphs whose chips changed. */
  _paintItems(items, stale) {
    if (items === this._items) return;
    this._items = items;
    const depths = layers(items);
    const wanted = new Map(items.map((item, index) => [item, this._styleOf(item, Math.min(depths[index], DEEPEST - 1))]));
    for (const [item, drawn] of this._drawn) {
      if (wanted.get(item) === drawn.name) continue;
      for (let index = drawn.index; index <= drawn.last; index += 1) {
        this._veil(index, item);
        this._paragraphs[index].touching.delete(item);
      }
      this._paragraphs[drawn.index].items.delete(item);
      this._drawn.delete(item);
      stale.add(drawn.index);
    }
    for (const [item, name] of wanted) if (!this._drawn.has(item)) stale.add(this._put(item, name));
  }

  _put(item, name) {
    const index = this._paragraphAt(this._text.unit(item.start));
    const last = this._paragraphAt(this._text.unit(item.end) - 1);
    this._drawn.set(item, { name, index, last });
    this._paragraphs[index].items.add(item);
    for (let place = index; place <= last; place += 1) {
      this._paragraphs[place].touching.add(item);
      if (this._unveiled.has(place)) this._unveil(place, item);
    }
    return index;
  }

  /** Paint an item in one paragraph. Only what is near the window is painted: at every change of a highlight the browser goes through all of its ranges. */
  _unveil(index, item) {
    const one = this._paragraphs[index];
    if (one.ranges.has(item)) return;
    const [start, end] = [this._text.unit(item.start) - one.start, this._text.unit(item.end) - one.start];
    const range = new StaticRange({ startContainer: one.node, startOffset: Math.max(start, 0), endContainer: one.node, endOffset: Math.min(end, one.node.length) });
    one.ranges.set(item, range);
    this._highlightOf(this._drawn.get(item).name, 1).add(range);
  }

  _veil(index, item) {
    const { ranges } = this._paragraphs[index];
    const range = ranges.get(item);
    if (!range) return;
    ranges.delete(item);
    this._highlights.get(this._drawn.get(item).name).delete(range);
  }

  /** The paragraphs that a text opens with, before the browser has told which are in sight. */
  _firstParagraphs() {
    const last = this._paragraphAt(Math.min(FIRST_UNITS, this._text.text.length));
    return new Set(Array.from({ length: Math.min(last + 1, FIRST_PARAGRAPHS) }, (_, index) => index));
  }

  _mark(kind, priority, item) {
    const highlight = this._highlightOf(`${this._prefix}-${kind}`, priority);
    highlight.clear();
    if (item) for (const range of this._liveRanges(item)) highlight.add(range);
  }

  _highlightOf(name, priority) {
    let highlight = this._highlights.get(name);
    if (!highlight) {
      highlight = new Highlight();
      highlight.priority = priority;
      this._highlights.set(name, highlight);
      CSS.highlights.set(name, highlight);
    }
    return highlight;
  }

  _rectangles(item) {
    return this._liveRanges(item).flatMap((range) => [...range.getClientRects()]);
  }

  /** Ranges that know where they are on the screen; few at a time, for the browser updates each at every change. */
  _liveRanges(item) {
    return this._pieces(item).map(([node, start, end]) => {
      const range = new Range();
      range.setStart(node, start);
      range.setEnd(node, end);
      return range;
    });
  }

  /** [text node, start, end) for each paragraph that a span touches. */
  _pieces(item) {
    const [start, end] = [this._text.unit(item.start), this._text.unit(item.end)];
    const found = [];
    for (let index = this._paragraphAt(start); index < this._paragraphs.length; index += 1) {
      const one = this._paragraphs[index];
      if (one.start >= end) break;
      if (index >= this._attached) this._attach(this._paragraphs.length);
      found.push([one.node, Math.max(start - one.start, 0), Math.min(end - one.start, one.node.length)]);
    }
    return found;
  }

  _paragraphAt(unit) {
    let low = 0;
    let high = this._paragraphs.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this._paragraphs[middle].start <= unit) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The name of the highlight for an item's label, state and depth; its rule is written the first time. */
  _styleOf(item, depth) {
    const kind = `${item.isQuiet ? "q" : item.isOffered ? "o" : "s"}${depth}${item.label}`;
    let name = this._names.get(kind);
    if (!name) {
      name = `${this._prefix}-${this._names.size}`;
      this._names.set(kind, name);
      const colour = this._colourOf(item.label);
      const tint = item.isQuiet ? 0 : item.isOffered ? 7 : 20;
      const line = item.isOffered ? "dotted" : depth ? "double" : "solid";
      this._rule(
        name,
        `background-color: color-mix(in srgb, ${colour} ${tint}%, transparent);` +
          ` text-decoration: underline ${line} ${colour} 2px; text-underline-offset: ${3 + 3 * depth}px;`,
      );
      this._highlightOf(name, 1);
    }
    return name;
  }

  _rule(name, declarations) {
    this._styles.append(`::highlight(${name}) { ${declarations} }\n`);
  }

  _onSight(entries) {
    const appeared = new Set();
    for (const entry of entries) {
      const index = Number(entry.target.dataset.index);
      if (this._paragraphs[index]?.element !== entry.target) continue;
      if (entry.isIntersecting) appeared.add(index);
      else this._leave(index);
    }
    for (const index of appeared) {
      this._unveiled.add(index);
      for (const item of this._paragraphs[index].touching) this._unveil(index, item);
    }
    for (const index of appeared) this._visible.add(index);
    this._drawChips(appeared);
  }

  _leave(index) {
    this._visible.delete(index);
    if (!this._unveiled.delete(index)) return;
    for (const item of this._paragraphs[index].touching) this._veil(index, item);
  }

  /** Names under the entities of these paragraphs: every place is read before anything is written. */
  _drawChips(indices) {
    const drawn = [...indices].map((index) => this._chipsOf(this._paragraphs[index]));
    for (const { paragraph, chips } of drawn) paragraph.chips.replaceChildren(...chips.map((chip) => chip.element));
    for (const { chips } of drawn) this._spread(chips);
  }

  /** Push chips that would lie on each other to the right. */
  _spread(chips) {
    const rowEnds = new Map();
    for (const { element, left, top } of chips) {
      const free = Math.max(left, rowEnds.get(top) ?? -Infinity);
      if (free !== left) element.style.left = `${free}px`;
      rowEnds.set(top, free + this._widthOf(element) + CHIP_GAP_PIXELS);
    }
  }

  /** The width of a chip, read once for each text: reading it makes the browser lay out everything. */
  _widthOf(chip) {
    const kind = `${chip.className} ${chip.textContent}`;
    if (!this._widths.has(kind)) this._widths.set(kind, chip.offsetWidth);
    return this._widths.get(kind);
  }

  _chipsOf(paragraph) {
    const frame = paragraph.element.getBoundingClientRect();
    const items = [...paragraph.items].sort(byPlace);
    const chips = items.map((item) => {
      const rectangle = this.rectangleOf(item) ?? frame;
      const [left, top] = [rectangle.left - frame.left, Math.round(rectangle.bottom - frame.top) + 3];
      const made = chipOf(item, this._colourOf(item.label), item === this._active);
      made.style.left = `${left}px`;
      made.style.top = `${top}px`;
      return { element: made, left, top };
    });
    return { paragraph, chips };
  }
}

function chipOf(item, colour, isActive) {
  const chip = document.createElement("button");
  chip.type = "button";
  chip.tabIndex = -1;
  chip.className = `chip${item.isOffered ? " offered" : ""}${item.isQuiet ? " quiet" : ""}${isActive ? " active" : ""}`;
  chip.style.setProperty("--label", colour);
  chip.textContent = item.label;
  chip.dataset.start = item.start;
  chip.dataset.end = item.end;
  chip.dataset.label = item.label;
  return chip;
}

/** [start in UTF-16 units, content] of each line with its line break. */
function paragraphsOf(text) {
  const found = [];
  let start = 0;
  for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
    found.push([start, text.slice(start, end + 1)]);
    start = end + 1;
  }
  if (start < text.length || !found.length) found.push([start, text.slice(start)]);
  return found;
}

function paragraph(start, content, index) {
  const element = document.createElement("div");
  element.dataset.index = index;
  element.className = "paragraph";
  const line = document.createElement("span");
  const node = document.createTextNode(content);
  line.dir = "auto";
  line.append(node);
  const chips = document.createElement("span");
  chips.className = "chips";
  chips.setAttribute("aria-hidden", "true");
  element.append(line, chips);
  return { element, node, chips, start, items: new Set(), touching: new Set(), ranges: new Map() };
}
