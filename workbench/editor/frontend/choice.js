// What is chosen in the text, an entity or a stretch of words, and how keys move it.

export class Choice {
  constructor() {
    this.active = null;
    this.target = null;
    this.isCharacterwise = false;
  }

  clear() {
    this.active = null;
    this.target = null;
  }

  select(item) {
    this.active = item;
    this.target = null;
  }

  choose(range) {
    this.active = null;
    this.target = range;
  }

  /** One step to the right (1) or left (-1); from an entity it goes on at the entity's border. */
  step(text, direction) {
    const from = this.target ?? (this.active ? [this.active.start, this.active.end] : null);
    if (!text.tokens.length) return;
    if (from === null) return this.choose([...text.tokens[direction > 0 ? 0 : text.tokens.length - 1]]);
    const edge = direction > 0 ? nextBorder(text, from[1], 1, this.isCharacterwise) : nextBorder(text, from[0], -1, this.isCharacterwise);
    this.choose(direction > 0 ? piece(text, edge, 1, this.isCharacterwise) : piece(text, edge, -1, this.isCharacterwise));
  }

  /** [start, end) with its end, or its start, moved by one token or character; null where nothing would be left. */
  moved(text, side, direction) {
    const from = this.active ? [this.active.start, this.active.end] : this.target;
    if (from === null) return null;
    const [start, end] = from;
    const border = side === "end" ? end : start;
    const moved = this.isCharacterwise ? border + direction : tokenBorder(text, border, side, direction);
    const range = side === "end" ? [start, moved] : [moved, end];
    return moved === border || moved < 0 || moved > text.length || range[0] >= range[1] ? null : range;
  }
}

/** Where the next piece begins (1) or the one before ends (-1). */
function nextBorder(text, border, direction, isCharacterwise) {
  if (isCharacterwise) return Math.min(Math.max(border, 0), text.length);
  const { tokens } = text;
  const index = text.tokenAt(border);
  if (direction > 0) return tokens[tokens[index][0] >= border ? index : Math.min(index + 1, tokens.length - 1)][0];
  const before = text.tokenAt(Math.max(border - 1, 0));
  if (tokens[before][1] <= border) return tokens[before][1];
  return tokens[Math.max(before - 1, 0)][1];
}

function piece(text, border, direction, isCharacterwise) {
  if (isCharacterwise) {
    const start = Math.min(Math.max(direction > 0 ? border : border - 1, 0), text.length - 1);
    return [start, start + 1];
  }
  return direction > 0 ? [...text.tokens[text.tokenAt(border)]] : [...text.tokens[text.tokenAt(border - 1)]];
}

/** The next border of a token in a direction: an end for the end of a span, a start for its start. */
function tokenBorder(text, border, side, direction) {
  const place = side === "end" ? 1 : 0;
  const near = text.tokenAt(border);
  for (let index = direction > 0 ? near - 1 : near + 1; index >= -1 && index <= text.tokens.length; index += direction) {
    const found = text.tokens[index]?.[place];
    if (found !== undefined && (direction > 0 ? found > border : found < border)) return found;
  }
  return border;
}
