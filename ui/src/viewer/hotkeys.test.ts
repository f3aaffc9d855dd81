import { beforeEach, expect, it } from "vitest";

import { furnish } from "../testing/browser";
import { actionOf, actions, standard, storedHotkeys, storeHotkeys, withKey } from "./hotkeys";

beforeEach(() => furnish());

it("each action has a key of its own", () => {
  expect(new Set(Object.values(standard)).size).toBe(actions.length);
});

it("a key that another action has is exchanged with it, and one that the browser needs is refused", () => {
  const changed = withKey(standard, "reset", "v");
  expect([changed?.reset, changed?.visible]).toEqual(["v", "r"]);
  expect(withKey(standard, "reset", "Escape")).toBeNull();
});

it("keys are kept by this browser, and what makes no sense there is left out", () => {
  storeHotkeys({ ...standard, reset: "q" });
  expect(storedHotkeys().reset).toBe("q");
  localStorage.setItem("hilum.viewer.hotkeys", '{"reset": 5, "nothing": "x", "pan": ""}');
  expect(storedHotkeys()).toEqual(standard);
  localStorage.setItem("hilum.viewer.hotkeys", "{");
  expect(storedHotkeys()).toEqual(standard);
});

it("what has come since keys were kept takes none of them away", () => {
  const { link: _, ...before } = standard;
  localStorage.setItem("hilum.viewer.hotkeys", JSON.stringify({ ...before, reset: "k" }));
  const kept = storedHotkeys();
  expect(kept.reset).toBe("k");
  expect(new Set(Object.values(kept)).size).toBe(actions.length);
  localStorage.setItem("hilum.viewer.hotkeys", JSON.stringify(before));
  expect(storedHotkeys()).toEqual(standard);
});

it("keys do nothing where something is typed, nor with Ctrl", () => {
  const press = (target: HTMLElement, init: KeyboardEventInit) => {
    document.body.append(target);
    let action: string | null = null;
    target.addEventListener("keydown", (event) => (action = actionOf(standard, event)), { once: true });
    target.dispatchEvent(new KeyboardEvent("keydown", { bubbles: true, ...init }));
    return action;
  };
  expect(press(document.createElement("div"), { key: "v" })).toBe("visible");
  expect(press(document.createElement("div"), { key: "v", ctrlKey: true })).toBeNull();
  expect(press(document.createElement("input"), { key: "v" })).toBeNull();
  expect(press(document.createElement("textarea"), { key: "1" })).toBeNull();
});
