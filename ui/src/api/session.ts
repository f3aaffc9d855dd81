/** Who is signed in, outside of React: requests ask it for their proof, and wait in it for a session that has ended. */

import type { Session } from "./access";

export type SessionState =
  /** Not asked yet. */
  | { kind: "unknown" }
  /** Asked, and the server did not answer. */
  | { kind: "unreachable" }
  /** Nobody. `returns`: the page that was asked for is opened after the sign-in; not so after signing out. */
  | { kind: "out"; returns: boolean }
  | { kind: "in"; session: Session }
  /** Somebody was signed in on this page, whose session the server no longer knows. */
  | { kind: "ended"; session: Session };

/** A request waited for its account, and the page went to somebody else or to nobody. */
export class SessionLost extends Error {
  constructor() {
    super("signed out before this was done");
  }
}

interface Waiting {
  resolve: () => void;
  reject: (error: SessionLost) => void;
}

let state: SessionState = { kind: "unknown" };
let waiting: Waiting[] = [];
const listeners = new Set<() => void>();

export const sessionState = () => state;

export function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Calls whenever another account, or nobody, takes the place of the one that was signed in: what this one saw is to be forgotten. */
export function onAccountLeft(forget: () => void): () => void {
  const who = () => (state.kind === "in" || state.kind === "ended" ? state.session.account.id : null);
  let account = who();
  return subscribe(() => {
    const now = who();
    if (account !== null && now !== account) forget();
    account = now;
  });
}

function become(next: SessionState) {
  state = next;
  for (const listener of listeners) listener();
}

function release(by: (one: Waiting) => void) {
  const released = waiting;
  waiting = [];
  released.forEach(by);
}

/** The proof that a request comes from our own page, and not from another site's. */
export function csrf(): string | undefined {
  return state.kind === "in" ? state.session.csrf : undefined;
}

/** The server says who is signed in. What waited goes on, but never in another account's name. */
export function signedIn(session: Session) {
  const before = state;
  const same = before.kind === "ended" && before.session.account.id === session.account.id;
  become({ kind: "in", session });
  release((one) => (same ? one.resolve() : one.reject(new SessionLost())));
}

/** The server knows no session of ours. */
export function refused() {
  if (state.kind === "in") become({ kind: "ended", session: state.session });
  else if (state.kind !== "ended") become({ kind: "out", returns: true });
}

/** Signed out on purpose. */
export function signedOut() {
  become({ kind: "out", returns: false });
  release((one) => one.reject(new SessionLost()));
}

/** The server did not say. What is known stays. */
export function unanswered() {
  if (state.kind === "unknown") become({ kind: "unreachable" });
}

/** Settles once the session is there again, or will not be. */
export function restored(): Promise<void> {
  if (state.kind !== "ended") return Promise.reject(new SessionLost());
  return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
}
