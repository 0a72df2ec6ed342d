// The two answers side by side, aligned, and the bar that decides between them.

import { element } from "./element.js";
import { keyOf } from "./keys.js";
import { kindInWords } from "./pair.js";
import { Paper } from "./paper.js";

const CHOICES = [
  ["left", "adoptLeft"],
  ["both", "adoptBoth"],
  ["right", "adoptRight"],
  ["neither", "adoptNeither"],
];

export class Panes {
  /** `host` is the element of class "pair"; `onChoose(choice)`, `onStep(direction)`, `onQuiet()` and `onPick(index)` act. */
  constructor(host, styles, colourOf, acts) {
    this._host = host;
    this._acts = acts;
    this._colourOf = colourOf;
    const find = (name) => host.querySelector(name);
    this._decision = find(".decision");
    this._sides = ["left", "right"].map((side) => {
      const pane = find(`.pane.${side}`);
      const paper = pane.querySelector(".panetext");
      return { side, name: pane.querySelector(".panename"), host: paper, paper: new Paper(paper, styles, colourOf) };
    });
    const [one, other] = this._sides;
    one.host.addEventListener("scroll", () => (other.host.scrollTop = one.host.scrollTop), { passive: true });
    other.host.addEventListener("scroll", () => (one.host.scrollTop = other.host.scrollTop), { passive: true });
    for (const { side, host: text } of this._sides) text.addEventListener("pointerdown", (event) => this._onDown(event, side));
  }

  close() {
    for (const { paper } of this._sides) paper.close();
  }

  /** Show another document, or nothing where it has no pair. */
  opened(text, pairing) {
    this._pairing = pairing;
    this._state = null;
    this._host.hidden = !pairing;
    if (!pairing) return;
    for (const { side, name, paper } of this._sides) {
      const { version, spans } = pairing.pair[side];
      name.replaceChildren(element("strong", { text: version }), element("span", { text: `${spans.length} ${spans.length === 1 ? "entity" : "entities"}` }));
      paper.show(text);
    }
  }

  draw(text, items) {
    const pairing = this._pairing;
    if (!pairing) return;
    const choices = pairing.differences.map((one) => pairing.choiceOf(one, items));
    const state = JSON.stringify([pairing.place, pairing.isQuiet, choices]);
    if (state === this._state) return;
    this._state = state;
    const { current } = pairing;
    for (const { side, paper } of this._sides) {
      const shown = pairing.itemsOf(side);
      const here = current?.[side] ?? null;
      const other = current?.left ?? current?.right;
      const active = here && shown.find((item) => item.start === here.start && item.end === here.end && item.label === here.label);
      paper.paint(shown, active ?? null, current && !here ? [other.start, other.end] : null);
      if (other) paper.reveal(here ?? other);
    }
    this._drawDecision(text, choices);
  }

  _drawDecision(text, choices) {
    const { pair, current, differences, place, isQuiet } = this._pairing;
    const quiet = element(
      "button",
      { type: "button", class: "plain quiet", "aria-pressed": String(isQuiet), "data-action": "quiet", onclick: () => this._acts.onQuiet() },
      element("span", { text: "Only disagreements" }),
      element("kbd", { text: keyOf("quiet") }),
    );
    if (!current) {
      this._decision.replaceChildren(element("span", { class: "kind", text: "Both versions say the same here." }), element("span", { class: "grow" }), quiet);
      return;
    }
    const open = choices.filter((choice) => choice === "open").length;
    const step = (sign, direction, label) =>
      element("button", { type: "button", class: "small", title: label, "aria-label": label, onclick: () => this._acts.onStep(direction) }, sign);
    const names = { left: pair.left.version, both: "Both", right: pair.right.version, neither: "Neither" };
    const buttons = CHOICES.map(([choice, action]) =>
      element(
        "button",
        { type: "button", class: `plain choice${choices[place] === choice ? " chosen" : ""}`, "aria-pressed": String(choices[place] === choice), "data-choice": choice, onclick: () => this._acts.onChoose(choice) },
        element("span", { text: names[choice] }),
        element("kbd", { text: keyOf(action) }),
      ),
    );
    const count = `Difference ${place + 1} of ${differences.length}${open ? `, ${open} open` : ", all decided"}`;
    this._decision.replaceChildren(
      element("span", { class: "steps" }, step("‹", -1, "Difference before"), step("›", 1, "Next difference")),
      element("span", { class: "kind" }, element("span", { class: "small-count", text: count }), element("strong", { text: kindInWords(current.kind, pair) }), this._inWords(text, current)),
      element("span", { class: "grow" }),
      element("span", { class: "choices", role: "group", "aria-label": "Whose answer" }, ...buttons),
      quiet,
    );
  }

  _inWords(text, { left, right }) {
    const side = (span) =>
      span &&
      element(
        "span",
        { class: "said", style: `--label:${this._colourOf(span.label)}` },
        element("span", { class: "surface", text: text.slice(span.start, span.end).replace(/\s+/g, " ") }),
        element("span", { class: "tag", text: span.label }),
        span.confidence === null || span.confidence === undefined ? null : element("span", { class: "sure", text: `${Math.round(100 * span.confidence)} %` }),
      );
    return element("span", { class: "versus" }, side(left), left && right ? element("span", { class: "arrow", text: "or" }) : null, side(right));
  }

  /** A click on a span of a pane chooses its difference. */
  _onDown(event, side) {
    const pane = this._sides.find((one) => one.side === side);
    const point = pane.paper.pointAt(event.clientX, event.clientY);
    const place = this._pairing?.differences.findIndex((one) => one[side] && point !== null && one[side].start <= point && point <= one[side].end) ?? -1;
    if (place < 0) return;
    event.preventDefault();
    this._acts.onPick(place);
  }
}
