// What was said and is not yet known to be stored. It outlives a reload, a closed browser and a server that is away.

const KEY = "ner-outbox";
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15000;
const DRAFT_PAUSE_MS = 150;

/** One call of the API as this browser's visitor; throws {status, kind, message, details}. */
export async function call(method, path, body, options = {}) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: { "Content-Type": "application/json", "X-Requested-With": "workbench" },
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      ...options,
    });
  } catch {
    throw { status: 0, kind: "unreachable", message: "The server does not answer.", details: {} };
  }
  const told = answer.status === 204 ? {} : await answer.json().catch(() => ({}));
  if (answer.ok) return told;
  const error = told.error ?? {};
  throw {
    status: answer.status,
    kind: error.kind ?? "failed",
    message: error.message ?? `The server answered ${answer.status}.`,
    details: error.details ?? {},
  };
}

/** Answers that a later try can change: no connection, a server that is starting, too many requests. */
export function isPassing(error) {
  return error.status === 0 || error.status >= 500 || error.status === 429 || error.status === 408;
}

export class Outbox {
  /**
   * `onChange()` hears of every step, `onStored(entry, told)` of what the server said, `onRefused(entry, error)` of an
   * answer that no repetition would change. `key`: where in the storage it waits.
   */
  constructor(storage, send, { onChange, onRefused, onStored = () => {} }, key = KEY) {
    this._key = key;
    this._onStored = onStored;
    this._storage = storage;
    this._send = send;
    this._onChange = onChange;
    this._onRefused = onRefused;
    this._isSending = false;
    this._pauseMs = FIRST_PAUSE_MS;
    this._timer = null;
    this.problem = null;
    this.stored = 0;
  }

  get entries() {
    try {
      return JSON.parse(this._storage.getItem(this._key) ?? "[]");
    } catch {
      return [];
    }
  }

  has(documentId) {
    return this.entries.some((entry) => entry.document_id === documentId);
  }

  /** Keep an answer until the server has it. */
  put(entry) {
    this._write([...this.entries, entry]);
    this._onChange();
    this.flush();
  }

  /** Send what waits, oldest first, one at a time. */
  async flush() {
    if (this._isSending) return;
    this._isSending = true;
    clearTimeout(this._timer);
    try {
      for (let entry = this.entries[0]; entry; entry = this.entries[0]) {
        if (!(await this._deliver(entry))) return;
      }
    } finally {
      this._isSending = false;
      this._onChange();
    }
  }

  async _deliver(entry) {
    let told;
    try {
      told = await this._send(entry);
    } catch (error) {
      if (error.status === undefined) throw error;
      if (isPassing(error) || error.status === 401) {
        this._tryLater(error);
        return false;
      }
      this._drop(entry);
      this._onRefused(entry, error);
      return true;
    }
    this.problem = null;
    this._pauseMs = FIRST_PAUSE_MS;
    this.stored += 1;
    this._drop(entry);
    this._onStored(entry, told);
    this._onChange();
    return true;
  }

  _tryLater(error) {
    this.problem = error;
    this._timer = setTimeout(() => this.flush(), this._pauseMs);
    this._pauseMs = Math.min(this._pauseMs * 2, LONGEST_PAUSE_MS);
  }

  _drop(entry) {
    this._write(this.entries.filter((other) => other.operation_id !== entry.operation_id));
  }

  _write(entries) {
    this._storage.setItem(this._key, JSON.stringify(entries));
  }
}

/** Work on a document that was not saved yet: its spans and every step, so that a reload loses nothing. */
export class Drafts {
  constructor(storage) {
    this._storage = storage;
    this._waiting = null;
    this._timer = null;
  }

  /** Write it soon: not between a key and its paint, and at once when the page goes. */
  keep(document, sheet) {
    this._waiting = { document, sheet };
    clearTimeout(this._timer);
    this._timer = setTimeout(() => this.write(), DRAFT_PAUSE_MS);
  }

  /** Write what waits to be written. */
  write() {
    clearTimeout(this._timer);
    if (!this._waiting) return;
    const { document, sheet } = this._waiting;
    this._waiting = null;
    const content = { revision: document.revision, items: sheet.items, past: sheet.past, future: sheet.future };
    try {
      this._storage.setItem(draftKey(document.id), JSON.stringify(content));
    } catch {
      this._forgetAll();
    }
  }

  of(document) {
    try {
      const content = JSON.parse(this._storage.getItem(draftKey(document.id)) ?? "null");
      return content && content.revision === document.revision ? content : null;
    } catch {
      return null;
    }
  }

  forget(documentId) {
    if (this._waiting?.document.id === documentId) this._waiting = null;
    this._storage.removeItem(draftKey(documentId));
  }

  _forgetAll() {
    for (const key of Object.keys(this._storage)) if (key.startsWith(draftKey(""))) this._storage.removeItem(key);
  }
}

function draftKey(documentId) {
  return `ner-draft:${documentId}`;
}
