// What stands in the margin: where the chosen entity comes from, what its label means, and what people wrote.

import { element, plural } from "./element.js";

/** Knows guidelines, endpoints and comments; everything comes by `call`, after the document is on the screen. */
export class Margin {
  constructor(call, onChange) {
    this._call = call;
    this._onChange = onChange;
    this._dataset = null;
    this._document = null;
    this.guidelines = new Map();
    this.endpoints = [];
    this.comments = [];
  }

  /** Another document is open. */
  async open(opened) {
    this._document = opened.id;
    this.comments = [];
    const isNew = this._dataset !== opened.dataset;
    this._dataset = opened.dataset;
    const path = `/api/v1/datasets/${encodeURIComponent(opened.dataset)}`;
    const asks = [this._call("GET", `/api/v1/documents/${opened.id}/comments`)];
    if (isNew) asks.push(this._call("GET", `${path}/guidelines`), this._call("GET", `${path}/sources`));
    try {
      const [told, written, sources] = await Promise.all(asks);
      if (this._document !== opened.id) return;
      this.comments = told.comments;
      if (written) this.guidelines = new Map(written.guidelines.map((one) => [one.label, one]));
      if (sources) this.endpoints = sources.sources.filter((one) => one.kind === "endpoint" && one.enabled).map((one) => one.name);
    } catch (error) {
      // What stands in the margin is no part of the work: the document can be corrected without it.
      if (error.status === undefined) throw error;
      this._dataset = null;
    }
    this._onChange();
  }

  async comment(words, place) {
    const body = place ? { words, start: place.start, end: place.end } : { words };
    const made = await this._call("POST", `/api/v1/documents/${this._document}/comments`, body);
    this.comments = [...this.comments, made];
    this._onChange();
  }

  async settle(comment) {
    const settled = await this._call("PUT", `/api/v1/comments/${comment.id}`, { settled: !comment.settled_at });
    this.comments = this.comments.map((one) => (one.id === settled.id ? settled : one));
    this._onChange();
  }

  /** What every endpoint of the dataset says about the document: {suggestions, told}. */
  async ask() {
    const suggestions = [];
    const told = [];
    for (const source of this.endpoints) {
      const answer = await this._call("POST", `/api/v1/documents/${this._document}/suggestions`, { source });
      suggestions.push(...answer.suggestions);
      told.push(saidBy(source, answer));
    }
    return { suggestions, told: told.join(" ") };
  }
}

/** One sentence about what an endpoint said, what it cost, and what could not be placed. */
export function saidBy(source, answer) {
  const count = Object.values(answer.left_out).reduce((sum, one) => sum + one, 0);
  const reasons = Object.entries(answer.left_out).map(([reason, times]) => `${times} ${reason}`);
  const left = count ? `, ${count} not placed (${reasons.join(", ")})` : "";
  const cost = answer.cost ? `, cost ${answer.cost.toPrecision(2)}` : "";
  const tokens = answer.tokens_in === null ? "" : `, ${plural(answer.tokens_in + answer.tokens_out, "token")}`;
  return `${source}: ${plural(answer.suggestions.length, "suggestion")}${left}, ${answer.seconds.toFixed(1)} s${tokens}${cost}.`;
}

/** Where an item comes from, in words. */
export function originOf(item) {
  if (item.voters) return `Said by ${item.voters.join(", ")}.`;
  const sure = item.confidence === undefined || item.confidence === null ? "" : `, ${Math.round(100 * item.confidence)} % sure`;
  const version = item.source_version ? ` ${item.source === "model" ? "" : "version "}${item.source_version}` : "";
  const source = item.source === "model" ? "the model" : item.source;
  if (item.isOffered) return item.source ? `Offered by ${source}${version}${sure}.` : "Offered.";
  if (item.origin === "stored") return "Stored before.";
  return item.source ? `Offered by ${source}${version}, and taken.` : "Yours.";
}

export class MarginView {
  constructor(host, { colourOf, onComment, onSettle, onPlace }) {
    this._host = host;
    this._acts = { colourOf, onComment, onSettle, onPlace };
    this._origin = element("p", { class: "hint origin" });
    this._guideline = element("div", { class: "guideline" });
    this._thread = element("div", { class: "thread" });
    this.field = element("textarea", { class: "comment", rows: "2", placeholder: "Comment  (Enter sends)", "aria-label": "Comment" });
    this.field.addEventListener("keydown", (event) => this._onKey(event));
    host.replaceChildren(this._origin, this._guideline, this._thread, this.field);
  }

  draw(margin, item, label) {
    this._origin.hidden = !item;
    this._origin.textContent = item ? originOf(item) : "";
    const wanted = item?.label ?? label;
    this._drawGuideline(wanted, margin.guidelines.get(wanted));
    if (this._drawn === margin.comments) return;
    this._drawn = margin.comments;
    this._thread.replaceChildren(...margin.comments.map((comment) => this._comment(comment)));
  }

  _drawGuideline(label, guideline) {
    if (this._shown === guideline) return;
    this._shown = guideline;
    this._guideline.hidden = !guideline;
    if (!guideline) return this._guideline.replaceChildren();
    const examples = guideline.examples.map(({ text, start, end, is_right: isRight }) =>
      element(
        "li",
        { class: isRight ? "right" : "wrong" },
        element("span", { class: "sign", text: isRight ? "✓ " : "✕ " }),
        sliced(text, 0, start),
        element("mark", { style: `--label:${this._acts.colourOf(label)}`, text: sliced(text, start, end) }),
        sliced(text, end),
      ),
    );
    this._guideline.replaceChildren(
      element("strong", { text: label }),
      element("span", { class: "hint", text: ` version ${guideline.version}` }),
      element("p", { text: guideline.words }),
      element("ul", {}, ...examples),
    );
  }

  _comment(comment) {
    const { onSettle, onPlace } = this._acts;
    const about = comment.surface
      ? element("button", { type: "button", class: "about", onclick: () => onPlace(comment) }, `“${comment.surface}”`)
      : null;
    const settle = element("button", { type: "button", class: "plain settle", onclick: () => onSettle(comment) }, comment.settled_at ? "Open again" : "Settle");
    return element(
      "div",
      { class: `said${comment.settled_at ? " settled" : ""}` },
      element("div", { class: "who" }, element("b", { text: comment.author }), about, settle),
      element("div", { text: comment.words }),
    );
  }

  _onKey(event) {
    event.stopPropagation();
    if (event.key === "Escape") return this._acts.onComment(null);
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    const words = this.field.value.trim();
    if (words) this._acts.onComment(words);
  }
}

/** Characters as Python counts them. */
function sliced(text, start, end) {
  return Array.from(text).slice(start, end).join("");
}
