// Which key does what: as the editor comes, or as a person has bound it.

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
  { action: "adoptLeft", keys: ["q"], help: "Two versions: take the left one's answer" },
  { action: "adoptBoth", keys: ["w"], help: "Two versions: take both answers" },
  { action: "adoptRight", keys: ["e"], help: "Two versions: take the right one's answer" },
  { action: "adoptNeither", keys: ["t"], help: "Two versions: take neither" },
  { action: "nextDifference", keys: ["j"], help: "Two versions: next difference" },
  { action: "previousDifference", keys: ["k"], help: "Two versions: difference before" },
  { action: "quiet", keys: ["m"], help: "Two versions: show only what they differ on, or everything" },
  { action: "filter", keys: ["/", "l"], help: "Find a label by its name" },
  { action: "comment", keys: ["i"], help: "Comment on what is chosen, or on the document" },
  { action: "ask", keys: ["o"], help: "Ask the language model elsewhere, where there is one" },
  { action: "pin", keys: ["v"], help: "Every version must answer this document as it is settled (reviewers)" },
  { action: "undo", keys: ["Ctrl+z", "u"], help: "Undo" },
  { action: "redo", keys: ["Ctrl+Shift+Z", "Ctrl+y"], help: "Do it again" },
  { action: "leave", keys: ["Escape"], help: "Choose nothing" },
  { action: "help", keys: ["?", "Shift+?"], help: "These keys" },
];
export const LABEL_KEYS = "1234567890";

const SHOWN = { ArrowRight: "→", ArrowLeft: "←", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", Delete: "Del", " ": "Space" };
const DEFAULTS = Object.fromEntries(KEYS.map(({ action, keys }) => [action, keys]));
const bound = { own: {}, keys: DEFAULTS, actions: actionsOf(DEFAULTS) };

/** Let a person's own keys do what they say; {} returns to those that the editor comes with. */
export function bind(own) {
  bound.own = Object.fromEntries(Object.entries(own).filter(([action]) => action in DEFAULTS));
  bound.keys = { ...DEFAULTS, ...bound.own };
  bound.actions = actionsOf(bound.keys);
}

/** The keys of every action: {action: [key]}. */
export function bindings() {
  return bound.keys;
}

export function isBound() {
  return Object.keys(bound.own).length > 0;
}

/** Why `key` cannot be the key of `action`, in one sentence; null when it can. */
export function conflictOf(action, key) {
  if (LABEL_KEYS.includes(key)) return `${key} labels; choose another key.`;
  const other = bound.actions.get(key);
  if (!other || other === action) return null;
  return `${shownKey(key)} is taken: ${KEYS.find((one) => one.action === other).help}.`;
}

/** The action of a key press, {action, position} with the position of a label, or null. */
export function actionOf(event) {
  if (!event.ctrlKey && !event.metaKey && !event.altKey && !event.shiftKey) {
    const position = LABEL_KEYS.indexOf(event.key);
    if (event.key.length === 1 && position >= 0) return { action: "label", position };
  }
  const action = bound.actions.get(nameOf(event));
  return action ? { action } : null;
}

/** A key press by its name: "Shift+ArrowRight". */
export function nameOf(event) {
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
  return shownKey(bound.keys[action][0]);
}

function actionsOf(keys) {
  return new Map(Object.entries(keys).flatMap(([action, names]) => names.map((key) => [key, action])));
}
