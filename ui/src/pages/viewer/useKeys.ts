import { useEffect, useState } from "react";

import { type Action, actionOf, type Hotkeys, storedHotkeys, storeHotkeys } from "../../viewer/hotkeys";
import { isPreset, presets } from "../../viewer/presets";
import { type Tool, tools } from "../../viewer/state";
import type { Viewer } from "../../viewer/Viewer";

const isTool = (action: Action): action is Action & Tool => (tools as readonly string[]).includes(action);

/** What is done beside the viewer. */
type Acts = Partial<Record<"predict" | "link" | "help", () => void>>;

function perform(viewer: Viewer, action: Action, acts: Acts) {
  if (isTool(action)) {
    viewer.setTool(action);
    return;
  }
  if (isPreset(action)) {
    viewer.setWindow({ ...presets[action] });
    return;
  }
  const state = viewer.state();
  switch (action) {
    case "next": return viewer.scroll(1);
    case "previous": return viewer.scroll(-1);
    case "nextTen": return viewer.scroll(10);
    case "previousTen": return viewer.scroll(-10);
    case "first": return viewer.goTo(0);
    case "last": return viewer.goTo(Number.MAX_SAFE_INTEGER);
    case "nextFinding": return viewer.stepFinding(1);
    case "previousFinding": return viewer.stepFinding(-1);
    case "layout": return viewer.setLayout(state.layout === "mpr" ? "stack" : "mpr");
    case "slab": return viewer.setSlab(({ none: "mip", mip: "aip", aip: "none" } as const)[state.slab]);
    case "visible": return viewer.set({ visible: !state.visible });
    case "overlay": return viewer.set({ overlay: !state.overlay });
    case "reset": return viewer.reset();
    case "predict":
    case "link":
    case "help": return acts[action]?.();
  }
}

/** The keys of this browser, and the act that changes them. */
export function useHotkeysKept(): [Hotkeys, (hotkeys: Hotkeys) => void] {
  const [hotkeys, setHotkeys] = useState(storedHotkeys);
  const change = (changed: Hotkeys) => {
    storeHotkeys(changed);
    setHotkeys(changed);
  };
  return [hotkeys, change];
}

/** Keys act wherever nothing is typed and no dialog is open. Escape gives up what is being drawn, then the tool. */
export function useKeys(viewer: Viewer, hotkeys: Hotkeys, allowed: (action: Action) => boolean, acts: Acts) {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (document.querySelector('[role="dialog"], [role="menu"]')) return;
      if (event.key === "Escape" && !event.defaultPrevented) {
        if (viewer.currentDraft()) viewer.setDraft(null);
        else viewer.setTool("window");
        return;
      }
      const action = actionOf(hotkeys, event);
      if (!action || !allowed(action)) return;
      event.preventDefault();
      perform(viewer, action, acts);
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, [viewer, hotkeys, allowed, acts]);
}
