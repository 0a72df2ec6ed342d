// Two versions beside a person: which of their spans join the answer, difference by difference.

import { byPlace, conflicting, isSame } from "./sheet.js";

export const KINDS = {
  label: "other label",
  border: "other border",
  both: "other label and border",
  missing: "only in {left}",
  spurious: "only in {right}",
};

/** The two sides of a difference that are there. */
function sides(difference) {
  return [difference.left, difference.right].filter(Boolean);
}

/** What stands at first: what is stored, or on a new document what both versions say; their differences are offered. */
export function withPair(document, pair) {
  const agreed = pair.differences.filter((one) => one.kind === "match").map((one) => one.left);
  const standing = document.revision > 0 ? document.spans : agreed;
  const offers = pair.differences
    .filter((one) => one.kind !== "match")
    .flatMap((one) => [one.left && { ...one.left, origin: "left" }, one.right && { ...one.right, origin: "right" }])
    .filter((offer) => offer && !standing.some((item) => isSame(item, offer)));
  const origin = document.revision > 0 ? "stored" : "model";
  return [
    ...standing.map((item) => ({ ...item, origin, isOffered: false })),
    ...offers.map((offer) => ({ ...offer, isOffered: true })),
  ].sort(byPlace);
}

/** The differences of a pair of answers, and what became of each: read off the sheet, so that undoing needs no more. */
export class Pairing {
  constructor(pair) {
    this.pair = pair;
    this.differences = pair.differences.filter((one) => one.kind !== "match");
    this.place = 0;
    this.isQuiet = true;
  }

  get current() {
    return this.differences[this.place] ?? null;
  }

  /** "left", "right", "both", "neither", or "open" where an offer still waits. */
  choiceOf(difference, items) {
    const found = (side) => side && items.find((item) => isSame(item, side));
    const [left, right] = [found(difference.left), found(difference.right)];
    if (left?.isOffered || right?.isOffered) return "open";
    if (left && right) return "both";
    return left ? "left" : right ? "right" : "neither";
  }

  open(items) {
    return this.differences.filter((one) => this.choiceOf(one, items) === "open");
  }

  /** Let a side's span, both, or neither be in the answer. Returns "" or the sentence that says why not. */
  adopt(sheet, choice) {
    const difference = this.current;
    if (!difference) return "The two versions agree here.";
    const chosen = { left: [difference.left], right: [difference.right], both: sides(difference), neither: [] }[choice].filter(Boolean);
    if (chosen.length === 2 && conflicting([chosen[0]], chosen[1], sheet.nesting).length) {
      return "Both cannot stand: they overlap, and these labels may not. Choose one of them.";
    }
    const isGone = (item) => sides(difference).some((side) => isSame(side, item));
    const rest = sheet.items.filter((item) => !isGone(item));
    const displaced = new Set(chosen.flatMap((span) => conflicting(rest.filter((item) => !item.isOffered), span, sheet.nesting)));
    const taken = chosen.map((span) => ({ ...span, origin: span === difference.left ? "left" : "right", isOffered: false }));
    sheet.become([...rest.filter((item) => !displaced.has(item)), ...taken].sort(byPlace));
    return "";
  }

  step(direction) {
    const count = this.differences.length;
    if (count) this.place = (this.place + direction + count) % count;
  }

  /** Go on to the next difference that nobody has decided, if there is one. */
  goOn(items) {
    for (let step = 1; step <= this.differences.length; step += 1) {
      const place = (this.place + step) % this.differences.length;
      if (this.choiceOf(this.differences[place], items) !== "open") continue;
      this.place = place;
      return;
    }
  }

  /** What a pane shows of its side: what differs, and unless it is quiet what both say. */
  itemsOf(side) {
    return this.pair.differences
      .filter((one) => one[side] && (one.kind !== "match" || !this.isQuiet))
      .map((one) => ({ ...one[side], isQuiet: one.kind === "match", kind: one.kind }))
      .sort(byPlace);
  }
}

/** A kind of difference with the versions' names in it. */
export function kindInWords(kind, pair) {
  return KINDS[kind].replace("{left}", pair.left.version).replace("{right}", pair.right.version);
}
