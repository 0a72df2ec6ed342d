// Offsets and tokens. Python counts code points, a browser UTF-16 units: this file is the only place that converts.

const UNSPACED =
  "\\u0e00-\\u0e7f\\u0e80-\\u0eff\\u1000-\\u109f\\u1780-\\u17ff\\u3040-\\u30ff\\u31f0-\\u31ff" +
  "\\u3400-\\u4dbf\\u4e00-\\u9fff\\uf900-\\ufaff\\u{20000}-\\u{3134f}";
const MARKS =
  "\\u0300-\\u036f\\u0483-\\u0489\\u0591-\\u05bd\\u0610-\\u061a\\u064b-\\u065f\\u00ad\\u200c\\u200d\\ufe00-\\ufe0f";
const INDIC = "\\u0900-\\u0dff";
// What Python calls a word character, a letter, and whitespace.
const WORD = "[\\p{L}\\p{N}_]";
const LETTER = `(?:(?![${UNSPACED}])[\\p{L}\\p{Nl}\\p{No}]|[${MARKS}${INDIC}])`;
const SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const ABBREVIATIONS =
  "Mr|Mrs|Ms|Dr|Prof|Rev|Gen|Col|Lt|Sgt|Capt|Maj|Cmdr|Adm|Sen|Rep|Gov|Pres|Hon|St|Jr|Sr|" +
  "Inc|Corp|Co|Ltd|Bros|vs|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec|Mt|Ft|Ave|Blvd";
// The segmentation of ner/tokens.py, alternative by alternative: what snaps here is a token of the models.
const TOKEN = [
  `[${UNSPACED}][${MARKS}]*`,
  `(?:${LETTER}\\.){2,}(?:${LETTER}(?!${WORD}))?`,
  `(?:${ABBREVIATIONS})\\.(?=[${SPACE}]*[^${SPACE}])`,
  `[A-Z]\\.(?=[${SPACE}]*[A-Z][\\p{L}\\p{Nl}\\p{No}]|[${SPACE}]*[A-Z]\\.)`,
  `\\p{Nd}+(?:[.,:]\\p{Nd}+)*`,
  `['\\u2019](?:s|S|re|ve|ll|d|m|t)(?!${WORD})`,
  `(?:${LETTER}|[${MARKS}])+`,
  `[^${SPACE}]`,
].join("|");

/** A text with offsets in code points; `units` and `points` convert from and to the browser's UTF-16 offsets. */
export class IndexedText {
  constructor(text) {
    this.text = text;
    this._unitOfPoint = /[\u{10000}-\u{10ffff}]/u.test(text) ? unitsOfPoints(text) : null;
    this._pointOfUnit = this._unitOfPoint && inverse(this._unitOfPoint, text.length);
    this._tokens = null;
  }

  get length() {
    return this._unitOfPoint ? this._unitOfPoint.length - 1 : this.text.length;
  }

  unit(point) {
    return this._unitOfPoint ? this._unitOfPoint[point] : point;
  }

  point(unit) {
    return this._pointOfUnit ? this._pointOfUnit[unit] : unit;
  }

  slice(start, end) {
    return this.text.slice(this.unit(start), this.unit(end));
  }

  /** [start, end) of every token, in code points. */
  get tokens() {
    if (this._tokens === null) {
      this._tokens = Array.from(this.text.matchAll(new RegExp(TOKEN, "gu")), (match) => [
        this.point(match.index),
        this.point(match.index + match[0].length),
      ]);
    }
    return this._tokens;
  }

  /** The index of the token at `point`, or of the nearest one after it, or of the last one; -1 without tokens. */
  tokenAt(point) {
    let low = 0;
    let high = this.tokens.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.tokens[middle][1] <= point) low = middle + 1;
      else high = middle;
    }
    return Math.min(low, this.tokens.length - 1);
  }

  /** The tokens that [start, end) touches as one range, or null where it touches none. */
  snapped(start, end) {
    if (!this.tokens.length || end <= start) return null;
    const first = this.tokens[this.tokenAt(start)];
    let last = this.tokenAt(Math.max(end - 1, start));
    if (this.tokens[last][0] >= end) last -= 1;
    if (last < 0 || this.tokens[last][1] <= first[0]) return null;
    return [first[0], this.tokens[last][1]];
  }

  /** [start, end) without blanks at its edges, or null where nothing else is in it. */
  trimmed(start, end) {
    const blank = new RegExp(`^[${SPACE}]$`, "u");
    while (start < end && blank.test(this.slice(start, start + 1))) start += 1;
    while (end > start && blank.test(this.slice(end - 1, end))) end -= 1;
    return start < end ? [start, end] : null;
  }

  /** Whether both borders are borders of tokens. */
  isAligned(start, end) {
    const first = this.tokens[this.tokenAt(start)];
    const last = this.tokens[this.tokenAt(end - 1)];
    return Boolean(first && last && first[0] === start && last[1] === end);
  }

  /** Every place of `surface` whose borders are borders of tokens. */
  occurrences(surface) {
    const found = [];
    for (let at = this.text.indexOf(surface); surface && at >= 0; at = this.text.indexOf(surface, at + 1)) {
      const [start, end] = [this.point(at), this.point(at + surface.length)];
      if (this.isAligned(start, end)) found.push([start, end]);
    }
    return found;
  }
}

function unitsOfPoints(text) {
  const units = new Uint32Array(text.length + 1);
  let points = 0;
  let unit = 0;
  for (const character of text) {
    units[points] = unit;
    unit += character.length;
    points += 1;
  }
  units[points] = unit;
  return units.slice(0, points + 1);
}

/** Of each UTF-16 offset its code point; the second half of a pair belongs to its first. */
function inverse(unitOfPoint, unitCount) {
  const points = new Uint32Array(unitCount + 1);
  for (let point = 0; point + 1 < unitOfPoint.length; point += 1) {
    points.fill(point, unitOfPoint[point], unitOfPoint[point + 1]);
  }
  points[unitCount] = unitOfPoint.length - 1;
  return points;
}
