import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useSyncExternalStore } from "react";

import { type Permission, type Session, sessionApi } from "../api/access";
import { ApiError, notSignedIn } from "../api/http";
import { onAccountLeft, refused, sessionState, signedIn, signedOut, subscribe, unanswered } from "../api/session";

/** Pages of one browser share a session: what one does, the others hear of. */
const otherPages = "BroadcastChannel" in window ? new BroadcastChannel("hilum.session") : null;

let first: Promise<void> | null = null;

/** Asks the server who is signed in. As long as nobody knows, one question is enough. */
export function loadSession(): Promise<void> {
  if (sessionState().kind !== "unknown") return askForSession();
  first ??= askForSession().finally(() => (first = null));
  return first;
}

async function askForSession(): Promise<void> {
  try {
    signedIn(await sessionApi.current());
  } catch (error) {
    if (error instanceof ApiError && error.code === notSignedIn) refused();
    else unanswered();
  }
}

/** A session that this page began. */
export function beginSession(session: Session) {
  signedIn(session);
  otherPages?.postMessage("in");
}

/**
 * Signs out here, whether the server answers or not: who comes after must not see this page. Where the server did not end the
 * session, the error is thrown. Who came by a provider goes there to sign out too.
 */
export async function endSession(): Promise<void> {
  const told = sessionApi.signOut();
  signedOut();
  otherPages?.postMessage("out");
  const next = await told.catch((error: unknown) => {
    if (!(error instanceof ApiError && error.code === notSignedIn)) throw error;
  });
  if (next) window.location.assign(next.location);
}

export function useSessionState() {
  return useSyncExternalStore(subscribe, sessionState);
}

/** The session of a page that is shown to those who are signed in only. */
export function useSession(): Session {
  const state = useSessionState();
  if (state.kind !== "in" && state.kind !== "ended") throw new Error("this page needs a session");
  return state.session;
}

/** Whether the session may do this in any institution. */
export function may(session: Session, permission: Permission): boolean {
  return session.institutions.some((institution) => institution.permissions.includes(permission));
}

/** Whether it may do this in that institution. */
export function mayAt(session: Session, permission: Permission, code: string): boolean {
  return session.institutions.some((one) => one.code === code && one.permissions.includes(permission));
}

export function useMay(permission: Permission): boolean {
  return may(useSession(), permission);
}

/** Forgets everything the server told one account before another sees the page. */
export function useForgetting() {
  const client = useQueryClient();
  useEffect(() => {
    const stop = onAccountLeft(() => client.clear());
    const hear = (event: MessageEvent) => (event.data === "out" ? signedOut() : void loadSession());
    otherPages?.addEventListener("message", hear);
    return () => {
      stop();
      otherPages?.removeEventListener("message", hear);
    };
  }, [client]);
}
