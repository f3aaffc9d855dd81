/** Texts that may name a patient. They are kept in this page's memory alone: no address, no storage of the browser has them. */

import { useSyncExternalStore } from "react";

import { onAccountLeft } from "../../api/session";

export interface Typed {
  text: string;
  name: string;
  patientId: string;
}

const nothing: Typed = { text: "", name: "", patientId: "" };
let typed = nothing;
const watchers = new Set<() => void>();

export function setTyped(change: Partial<Typed>) {
  typed = { ...typed, ...change };
  for (const watcher of watchers) watcher();
}

/** Another account does not see what this one looked for. */
onAccountLeft(() => setTyped(nothing));

export function useTyped(): Typed {
  return useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => typed,
  );
}
