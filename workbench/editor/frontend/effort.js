// What an answer takes: time in use and keys pressed, from the document's opening to its answer.

const LONGEST_REST_MS = 5000;

/** Pauses count up to five seconds: somebody who reads is at work, somebody who left is not. */
export class Effort {
  constructor(now = () => performance.now()) {
    this._now = now;
    this.begin();
  }

  begin() {
    this._last = this._now();
    this._activeMs = 0;
    this._keyPresses = 0;
  }

  /** Something was done; `isKey` where it was a key. */
  note(isKey = false) {
    const now = this._now();
    this._activeMs += Math.min(now - this._last, LONGEST_REST_MS);
    this._last = now;
    this._keyPresses += isKey ? 1 : 0;
  }

  get told() {
    return { active_ms: Math.round(this._activeMs), key_presses: this._keyPresses };
  }
}
