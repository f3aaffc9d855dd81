/**
 * What changes in the study list, as the server tells it (server-sent events). One connection a page, and only while the page is looked
 * at: a browser has six of them for a server. Nothing that is told names a patient.
 */

import { useEffect, useSyncExternalStore } from "react";

import { sessionState, subscribe as subscribeToSession } from "./session";
import type { StudyChange } from "./types";

export interface LiveHandlers {
  changed: (change: StudyChange) => void;
  /** More changed than was told: look again. */
  missed: () => void;
}

/** Whether the server tells changes now. */
export type LiveState = "off" | "connecting" | "on";

/** After a refusal the server is asked again so late, ms, and twice as late each time. */
const firstPause = 2_000;
const longestPause = 60_000;

const handlers = new Set<LiveHandlers>();
const watchers = new Set<() => void>();
let source: EventSource | null = null;
let state: LiveState = "off";
let pause = firstPause;
let again: ReturnType<typeof setTimeout> | null = null;
/** Changes may have been missed since the last connection. */
let stale = false;

function become(next: LiveState) {
  if (state === next) return;
  state = next;
  for (const watcher of watchers) watcher();
}

function wanted(): boolean {
  return handlers.size > 0 && document.visibilityState !== "hidden" && sessionState().kind === "in" && "EventSource" in window;
}

function close() {
  if (again !== null) clearTimeout(again);
  again = null;
  if (source !== null) stale = true;
  source?.close();
  source = null;
  become("off");
}

function open() {
  if (!wanted()) {
    close();
    return;
  }
  if (source !== null || again !== null) return;
  become("connecting");
  const opened = new EventSource("/api/v1/events");
  source = opened;
  opened.addEventListener("open", () => {
    pause = firstPause;
    become("on");
    // What changed while nobody listened.
    if (stale) for (const handler of handlers) handler.missed();
    stale = false;
  });
  opened.addEventListener("study", (event) => {
    const change = JSON.parse((event as MessageEvent<string>).data) as StudyChange;
    for (const handler of handlers) handler.changed(change);
  });
  opened.addEventListener("missed", () => {
    for (const handler of handlers) handler.missed();
  });
  opened.addEventListener("error", () => {
    stale = true;
    // The browser comes again by itself, unless it was refused.
    if (opened.readyState !== EventSource.CLOSED) {
      become("connecting");
      return;
    }
    source = null;
    become("off");
    again = setTimeout(() => {
      again = null;
      open();
    }, pause);
    pause = Math.min(2 * pause, longestPause);
  });
}

let attached = false;
function attach() {
  if (attached) return;
  attached = true;
  document.addEventListener("visibilitychange", open);
  subscribeToSession(open);
}

/** Hears of changes as long as the component is there. */
export function useLive(handler: LiveHandlers) {
  useEffect(() => {
    attach();
    handlers.add(handler);
    open();
    return () => {
      handlers.delete(handler);
      if (handlers.size === 0) {
        close();
        stale = false;
      }
    };
  }, [handler]);
}

export function useLiveState(): LiveState {
  return useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => state,
  );
}
