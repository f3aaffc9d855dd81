import { useEffect } from "react";

import { type Action, actionOf, type Hotkeys } from "../../viewer/hotkeys";
import { isPreset, presets } from "../../viewer/presets";
import { type Tool, tools } from "../../viewer/state";
import type { Viewer } from "../../viewer/Viewer";

const isTool = (action: Action): action is Action & Tool => (tools as readonly string[]).includes(action);

function perform(viewer: Viewer, action: Action, onPredict: () => void, onHelp: () => void) {
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
    case "predict": return onPredict();
    case "help": return onHelp();
  }
}

/** Keys act wherever nothing is typed and no dialog is open. Escape gives up what is being drawn, then the tool. */
export function useKeys(viewer: Viewer, hotkeys: Hotkeys, allowed: (action: Action) => boolean, onPredict: () => void, onHelp: () => void) {
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
      perform(viewer, action, onPredict, onHelp);
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, [viewer, hotkeys, allowed, onPredict, onHelp]);
}
