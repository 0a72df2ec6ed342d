// The text on the screen: one text node a paragraph, entities painted by the CSS Custom Highlight API, names as chips.

import { layers } from "./sheet.js";

const DEEPEST = 3;
const CHIP_GAP_PIXELS = 3;
let instances = 0;

export class Paper {
  /** `host` receives the paragraphs; `styles` is a <style> of the same root; `colourOf` gives a label's colour. */
  constructor(host, styles, colourOf) {
    this._host = host;
    this._styles = styles;
    this._colourOf = colourOf;
    this._prefix = `ner${(instances += 1)}`;
    this._paragraphs = [];
    this._painted = new Set();
    this._items = [];
    this._active = null;
    this._visible = new Set();
    this._watcher = new IntersectionObserver((entries) => this._onSight(entries), { rootMargin: "200px" });
    this._resizes = new ResizeObserver(() => this._drawChips());
    this._resizes.observe(host);
  }

  /** Forget the text and everything that is painted. */
  close() {
    this._watcher.disconnect();
    this._resizes.disconnect();
    for (const name of this._painted) CSS.highlights.delete(name);
    this._painted.clear();
  }

  /** Show another text. */
  show(text) {
    this._text = text;
    this._watcher.disconnect();
    this._visible.clear();
    this._paragraphs = paragraphsOf(text.text).map(([start, content], index) => paragraph(start, content, index));
    this._paragraphOfNode = new Map(this._paragraphs.map((one) => [one.node, one]));
    this._host.replaceChildren(...this._paragraphs.map((one) => one.element));
    for (const one of this._paragraphs) this._watcher.observe(one.element);
  }

  /** Paint `items`; `active` is one of them or null, `target` a range [start, end) or null. */
  paint(items, active, target) {
    this._items = items;
    this._active = active;
    const groups = new Map();
    const depths = layers(items);
    items.forEach((item, index) => {
      const name = this._styleOf(item, Math.min(depths[index], DEEPEST - 1));
      if (!groups.has(name)) groups.set(name, []);
      groups.get(name).push(item);
    });
    const ranges = new Map([...groups].map(([name, group]) => [name, group.flatMap((item) => this._ranges(item))]));
    if (active) ranges.set(`${this._prefix}-active`, this._ranges(active));
    if (target) ranges.set(`${this._prefix}-target`, this._ranges({ start: target[0], end: target[1] }));
    this._register(ranges);
    this._drawChips();
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

  _rectangles(item) {
    return this._ranges(item).flatMap((range) => [...range.getClientRects()]);
  }

  /** A span as DOM ranges, one for each paragraph that it touches. */
  _ranges(item) {
    const [start, end] = [this._text.unit(item.start), this._text.unit(item.end)];
    const found = [];
    for (let index = this._paragraphAt(start); index < this._paragraphs.length; index += 1) {
      const one = this._paragraphs[index];
      if (one.start >= end) break;
      const range = new Range();
      range.setStart(one.node, Math.max(start - one.start, 0));
      range.setEnd(one.node, Math.min(end - one.start, one.node.length));
      found.push(range);
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
    const name = `${this._prefix}-${item.isOffered ? "o" : "s"}${depth}-${hexOf(item.label)}`;
    if (!this._painted.has(name)) {
      const colour = this._colourOf(item.label);
      const tint = item.isOffered ? 7 : 20;
      const line = item.isOffered ? "dotted" : depth ? "double" : "solid";
      this._rule(
        `::highlight(${name}) { background-color: color-mix(in srgb, ${colour} ${tint}%, transparent);` +
          ` text-decoration: underline ${line} ${colour} 2px; text-underline-offset: ${3 + 3 * depth}px; }`,
      );
      this._painted.add(name);
    }
    return name;
  }

  _register(ranges) {
    if (!this._hasOwnRules) {
      this._rule(`::highlight(${this._prefix}-active) { background-color: var(--active); }`);
      this._rule(`::highlight(${this._prefix}-target) { background-color: var(--target); }`);
      this._hasOwnRules = true;
    }
    for (const name of [`${this._prefix}-active`, `${this._prefix}-target`]) this._painted.add(name);
    for (const name of this._painted) if (!ranges.has(name)) CSS.highlights.delete(name);
    for (const [name, group] of ranges) {
      const highlight = new Highlight(...group);
      highlight.priority = name.endsWith("-target") ? 3 : name.endsWith("-active") ? 2 : 1;
      CSS.highlights.set(name, highlight);
    }
  }

  _rule(rule) {
    this._styles.append(rule, "\n");
  }

  _onSight(entries) {
    for (const entry of entries) {
      const index = Number(entry.target.dataset.index);
      if (entry.isIntersecting) this._visible.add(index);
      else this._visible.delete(index);
    }
    this._drawChips();
  }

  /** Names under the entities of the paragraphs in sight. */
  _drawChips() {
    const shown = new Map([...this._visible].map((index) => [index, []]));
    for (const item of this._items) {
      const index = this._paragraphAt(this._text.unit(item.start));
      shown.get(index)?.push(item);
    }
    for (const [index, items] of shown) this._drawChipsOf(this._paragraphs[index], items);
  }

  _drawChipsOf(paragraph, items) {
    const frame = paragraph.element.getBoundingClientRect();
    const chips = items.map((item) => {
      const rectangle = this.rectangleOf(item);
      const chip = chipOf(item, this._colourOf(item.label), item === this._active);
      if (rectangle) {
        chip.style.left = `${rectangle.left - frame.left}px`;
        chip.style.top = `${rectangle.bottom - frame.top + 3}px`;
      }
      return chip;
    });
    paragraph.chips.replaceChildren(...chips);
    spread(chips);
  }
}

/** Push chips that would lie on each other to the right. */
function spread(chips) {
  const rowEnds = new Map();
  const places = chips.map((chip) => [chip, chip.offsetLeft, chip.offsetTop, chip.offsetWidth]);
  for (const [chip, left, top, width] of places) {
    const free = rowEnds.get(top) ?? -Infinity;
    const moved = Math.max(left, free);
    if (moved !== left) chip.style.left = `${moved}px`;
    rowEnds.set(top, moved + width + CHIP_GAP_PIXELS);
  }
}

function chipOf(item, colour, isActive) {
  const chip = document.createElement("button");
  chip.type = "button";
  chip.tabIndex = -1;
  chip.className = `chip${item.isOffered ? " offered" : ""}${isActive ? " active" : ""}`;
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
  return { element, node, chips, start };
}

function hexOf(label) {
  return Array.from(new TextEncoder().encode(label), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
