// The page of keys: what each does, and how a person gives an action another one.

import { element } from "./element.js";
import { bind, bindings, isBound, KEYS, nameOf, shownKey, conflictOf } from "./keys.js";

/** `save(bindings)` stores them with the API and throws what it says; `onBound` hears of every change. */
export class KeyDialog {
  constructor({ save, onBound, onClose }) {
    this._save = save;
    this._onBound = onBound;
    this._waiting = null;
    this._rows = element("tbody", {});
    this._said = element("p", { class: "hint", role: "status" });
    const reset = element("button", { type: "button", class: "plain", text: "As they came", onclick: () => this._store({}) });
    const close = element("button", { type: "button", class: "plain", text: "Close", autofocus: true, onclick: onClose });
    this.element = element(
      "dialog",
      { class: "help", "aria-label": "Keys" },
      element("div", { class: "helphead" }, element("strong", { text: "Keys" }), element("span", { class: "ways" }, close, reset)),
      this._said,
      element("table", {}, this._rows),
    );
    this.element.addEventListener("keydown", (event) => this._onKey(event));
    this.element.addEventListener("close", () => this._wait(null));
    this._draw();
  }

  get open() {
    return this.element.open;
  }

  /** Show the keys as they are bound now. */
  showBound() {
    this._draw();
  }

  showModal() {
    this._wait(null);
    this.element.showModal();
  }

  close() {
    this.element.close();
  }

  remove() {
    this.element.remove();
  }

  _draw() {
    const labels = element(
      "tr",
      {},
      element("th", { scope: "row" }, element("kbd", { text: "1" }), "…", element("kbd", { text: "0" })),
      element("td", { text: "The first ten labels: for the words chosen, or for the entity chosen" }),
      element("td", {}),
    );
    this._rows.replaceChildren(labels, ...KEYS.map(({ action, help }) => this._row(action, help)));
  }

  _row(action, help) {
    const keys = bindings()[action].filter((key) => key !== "Shift+?");
    const isWaiting = this._waiting === action;
    const change = element(
      "button",
      { type: "button", class: "plain change", "aria-label": `Another key: ${help}`, onclick: () => this._wait(isWaiting ? null : action) },
      isWaiting ? "Press it…" : "Change",
    );
    return element(
      "tr",
      { "data-action": action },
      element("th", { scope: "row" }, ...keys.map((key) => element("kbd", { text: shownKey(key) }))),
      element("td", { text: help }),
      element("td", {}, change),
    );
  }

  _wait(action) {
    this._waiting = action;
    this._said.textContent = action ? "Press the new key, or Escape to leave it as it is." : "A key that you change is yours alone, on every machine.";
    this._draw();
    if (action) this._rows.querySelector(`[data-action="${action}"] button`).focus();
  }

  async _onKey(event) {
    event.stopPropagation();
    if (!this._waiting || ["Shift", "Control", "Alt", "Meta"].includes(event.key)) return;
    event.preventDefault();
    const action = this._waiting;
    if (event.key === "Escape") return this._wait(null);
    const key = nameOf(event);
    const clash = conflictOf(action, key);
    if (clash) {
      this._said.textContent = clash;
      return;
    }
    await this._store({ ...bindings(), [action]: [key] });
  }

  async _store(wanted) {
    try {
      await this._save(wanted);
    } catch (error) {
      this._said.textContent = error.message;
      return;
    }
    bind(wanted);
    this._wait(null);
    this._said.textContent = isBound() ? "Your keys are kept." : "The keys are as they came.";
    this._onBound();
  }
}
