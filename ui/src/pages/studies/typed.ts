/** Texts that may name a patient. They are kept in this page's memory alone: no address, no storage of the browser has them. */

import { useSyncExternalStore } from "react";

import { sessionState, subscribe } from "../../api/session";

export interface Typed {
  text: string;
  name: string;
  patientId: string;
}

const nothing: Typed = { text: "", name: "", patientId: "" };
let typed = nothing;
let account: number | null = null;
const watchers = new Set<() => void>();

export function setTyped(change: Partial<Typed>) {
  typed = { ...typed, ...change };
  for (const watcher of watchers) watcher();
}

/** Another account does not see what this one looked for. */
subscribe(() => {
  const state = sessionState();
  const now = state.kind === "in" || state.kind === "ended" ? state.session.account.id : null;
  if (now !== account) setTyped(nothing);
  account = now;
});

export function useTyped(): Typed {
  return useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => typed,
  );
}
