import { useEffect, useRef, useState, useSyncExternalStore } from "react";

import type { PaneName, ViewerState } from "../../viewer/state";
import { Viewer } from "../../viewer/Viewer";

/** A viewer as long as the page is there. */
export function useViewer(): Viewer | null {
  const [viewer, setViewer] = useState<Viewer | null>(null);
  useEffect(() => {
    const made = new Viewer();
    setViewer(made);
    return () => {
      setViewer(null);
      made.close();
    };
  }, []);
  return viewer;
}

/** Some of a viewer's state: what else changes there draws nothing anew here. */
export function useViewerState<Key extends keyof ViewerState>(viewer: Viewer, ...keys: Key[]): Pick<ViewerState, Key> {
  const last = useRef<Pick<ViewerState, Key> | null>(null);
  return useSyncExternalStore(viewer.subscribe, () => {
    const now = viewer.state();
    const before = last.current;
    if (before && keys.every((key) => Object.is(before[key], now[key]))) return before;
    last.current = now;
    return now;
  });
}

/** The layer that a pane shows. */
export function useLayer(viewer: Viewer, name: PaneName) {
  return useSyncExternalStore(viewer.subscribe, () => viewer.state().layers[name]);
}
