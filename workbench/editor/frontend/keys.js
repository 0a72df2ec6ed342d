// Which key does what, and the page that says so.

export const KEYS = [
  { action: "save", keys: ["Enter"], help: "Accept what stands, save, and go on" },
  { action: "skip", keys: ["s"], help: "Go on without an answer" },
  { action: "back", keys: ["b"], help: "Back to the document before" },
  { action: "right", keys: ["ArrowRight"], help: "Next word" },
  { action: "left", keys: ["ArrowLeft"], help: "Word before" },
  { action: "down", keys: ["ArrowDown"], help: "A line down" },
  { action: "up", keys: ["ArrowUp"], help: "A line up" },
  { action: "endRight", keys: ["Shift+ArrowRight"], help: "Longer: move the end of the choice, or of the entity" },
  { action: "endLeft", keys: ["Shift+ArrowLeft"], help: "Shorter: move the end back" },
  { action: "startLeft", keys: ["Alt+ArrowLeft"], help: "Longer: move the start to the left" },
  { action: "startRight", keys: ["Alt+ArrowRight"], help: "Shorter: move the start to the right" },
  { action: "characters", keys: ["x"], help: "Snap to words, or choose single characters" },
  { action: "nextEntity", keys: ["n"], help: "Next entity" },
  { action: "previousEntity", keys: ["p"], help: "Entity before" },
  { action: "remove", keys: ["Delete", "Backspace", "d"], help: "Remove the entity, or refuse what is offered" },
  { action: "take", keys: ["y"], help: "Take the entity that is offered" },
  { action: "takeAll", keys: ["Shift+Y"], help: "Take everything that is offered" },
  { action: "everywhere", keys: ["a"], help: "Label the same words everywhere in this document" },
  { action: "filter", keys: ["/", "l"], help: "Find a label by its name" },
  { action: "undo", keys: ["Ctrl+z", "u"], help: "Undo" },
  { action: "redo", keys: ["Ctrl+Shift+Z", "Ctrl+y"], help: "Do it again" },
  { action: "leave", keys: ["Escape"], help: "Choose nothing" },
  { action: "help", keys: ["?", "Shift+?"], help: "These keys" },
];
export const LABEL_KEYS = "1234567890";

const ACTION_OF = new Map(KEYS.flatMap(({ action, keys }) => keys.map((key) => [key, action])));
const SHOWN = { ArrowRight: "→", ArrowLeft: "←", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", Delete: "Del" };

/** The action of a key press, {action, position} with the position of a label, or null. */
export function actionOf(event) {
  if (!event.ctrlKey && !event.metaKey && !event.altKey && !event.shiftKey) {
    const position = LABEL_KEYS.indexOf(event.key);
    if (event.key.length === 1 && position >= 0) return { action: "label", position };
  }
  const action = ACTION_OF.get(nameOf(event));
  return action ? { action } : null;
}

function nameOf(event) {
  const parts = [];
  if (event.ctrlKey || event.metaKey) parts.push("Ctrl");
  if (event.altKey) parts.push("Alt");
  if (event.shiftKey) parts.push("Shift");
  return [...parts, event.key].join("+");
}

/** A key as a person reads it: "Shift →". */
export function shownKey(key) {
  const parts = key === "+" ? [key] : key.split("+");
  return parts.map((part) => SHOWN[part] ?? (part.length === 1 ? part.toUpperCase() : part)).join(" ");
}

/** The first key of an action, as a person reads it. */
export function keyOf(action) {
  return shownKey(KEYS.find((one) => one.action === action).keys[0]);
}
