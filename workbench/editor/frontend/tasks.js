// Which document is next: asked ahead of time, so that it is there when the person is done with this one.

const AHEAD = 3;
const REMEMBERED = 100;

export class Tasks {
  /** `basis`: {dataset} or {source: "traffic"}, for two versions with {left, right}; `call` reaches the API; `later`
   * does what must not keep the document that was handed out from the screen. */
  constructor(basis, call, later = (act) => act()) {
    this._later = later;
    this._basis = basis;
    this._room = basis.left ? "pairs" : "tasks";
    this._call = call;
    this._ahead = [];
    this._handedOut = [];
    this._filling = null;
    this._end = null;
  }

  /** The next task, {document: null} when nothing is left. Throws what the API said. */
  async next() {
    if (!this._ahead.length) await this._fill(1);
    const task = this._ahead.shift();
    if (!task) return this._end;
    this.fill();
    return task;
  }

  /** Ask for more in the background; a failure shows when the next document is really needed. */
  fill() {
    this._later(() => this._fill(AHEAD).catch(() => {}));
  }

  /** Never hand this document out again in this visit. */
  passOver(documentId) {
    this._remember(documentId);
    this._ahead = this._ahead.filter((task) => task.document.id !== documentId);
  }

  /** Give a document back: somebody else may have it. */
  release(documentId) {
    const path = `/api/v1/tasks/${encodeURIComponent(documentId)}/lease`;
    this._call("DELETE", path, undefined, { keepalive: true }).catch(() => {});
  }

  /** Give back what was asked for ahead of time. */
  releaseAhead() {
    for (const task of this._ahead.splice(0)) this.release(task.document.id);
  }

  async one(documentId) {
    const { left, right } = this._basis;
    const query = left ? `?${new URLSearchParams({ left, right })}` : "";
    return this._call("GET", `/api/v1/${this._room}/${encodeURIComponent(documentId)}${query}`);
  }

  async _fill(count) {
    while (this._filling) await this._filling.catch(() => {});
    if (this._ahead.length >= count) return;
    this._filling = this._load(count);
    try {
      await this._filling;
    } finally {
      this._filling = null;
    }
  }

  async _load(count) {
    while (this._ahead.length < count) {
      const query = new URLSearchParams({ ...this._basis, exclude: this._handedOut.join(",") });
      const task = await this._call("GET", `/api/v1/${this._room}/next?${query}`);
      if (!task.document) {
        this._end = task;
        return;
      }
      this._remember(task.document.id);
      this._ahead.push(task);
    }
  }

  _remember(documentId) {
    this._handedOut = [...this._handedOut.filter((known) => known !== documentId), documentId].slice(-REMEMBERED);
  }
}
