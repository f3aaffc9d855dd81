/** What keys do in the viewer. Each browser keeps its own. */
export const actions = [
  "next", "previous", "nextTen", "previousTen", "first", "last", "nextFinding", "previousFinding",
  "stone", "liver", "lung", "bone", "brain",
  "window", "pan", "zoom", "scroll", "crosshair", "length", "ellipse", "probe", "brush", "eraser",
  "layout", "slab", "visible", "predict", "overlay", "link", "reset", "help",
] as const;
export type Action = (typeof actions)[number];
export type Hotkeys = Record<Action, string>;

export const standard: Hotkeys = {
  next: "ArrowDown", previous: "ArrowUp", nextTen: "PageDown", previousTen: "PageUp", first: "Home", last: "End",
  nextFinding: "n", previousFinding: "N",
  stone: "1", liver: "2", lung: "3", bone: "4", brain: "5",
  window: "w", pan: "m", zoom: "z", scroll: "s", crosshair: "c", length: "l", ellipse: "o", probe: "h", brush: "b", eraser: "e",
  layout: "x", slab: "t", visible: "v", predict: "p", overlay: "i", link: "k", reset: "r", help: "?",
};

const storageKey = "hilum.viewer.hotkeys";

/** Those of this browser; what it says that makes no sense is left out. */
export function storedHotkeys(): Hotkeys {
  try {
    const stored = JSON.parse(localStorage.getItem(storageKey) ?? "{}") as Record<string, unknown>;
    const known = actions.flatMap((action) => {
      const key = stored[action];
      return typeof key === "string" && key.length > 0 && key.length <= 20 ? [[action, key] as const] : [];
    });
    // What has come since has no key there, and its own may have been given away.
    const own = new Set(known.map(([, key]) => key));
    const since = actions.filter((action) => own.has(standard[action]) && !known.some(([one]) => one === action));
    const spare = [..."kjqyudfga"].filter((key) => !own.has(key) && !Object.values(standard).includes(key));
    const moved = since.flatMap((action, at) => (spare[at] === undefined ? [] : [[action, spare[at]] as const]));
    return { ...standard, ...Object.fromEntries(known), ...Object.fromEntries(moved) };
  } catch {
    return { ...standard };
  }
}

export function storeHotkeys(hotkeys: Hotkeys) {
  localStorage.setItem(storageKey, JSON.stringify(hotkeys));
}

/** Keys that the browser or the page need themselves. */
const kept = new Set(["Escape", "Tab", "Enter", "Shift", "Control", "Alt", "Meta", "CapsLock", " "]);

/** With another key for an action, which whoever had it before gives up for the action's old one; null for a key that cannot be had. */
export function withKey(hotkeys: Hotkeys, action: Action, key: string): Hotkeys | null {
  if (kept.has(key)) return null;
  const had = actions.find((other) => other !== action && hotkeys[other] === key);
  return { ...hotkeys, [action]: key, ...(had && { [had]: hotkeys[action] }) };
}

/** What a key does; nothing where something is typed, or together with Ctrl, Alt or Meta. */
export function actionOf(hotkeys: Hotkeys, event: KeyboardEvent): Action | null {
  if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return null;
  const { target } = event;
  if (target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))) {
    const ticked = target instanceof HTMLInputElement && /^(checkbox|radio|button)$/.test(target.type);
    if (!ticked) return null;
  }
  return actions.find((action) => hotkeys[action] === event.key) ?? null;
}

/** As people write a key. */
export function keyName(key: string): string {
  const arrows: Record<string, string> = { ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→" };
  if (key in arrows) return arrows[key] ?? key;
  return key.length === 1 && key !== key.toLowerCase() ? `Shift+${key}` : key.length === 1 ? key.toUpperCase() : key;
}
