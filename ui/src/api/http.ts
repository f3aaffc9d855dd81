import { csrf, refused, restored } from "./session";

/** An answer of the server that is not a success. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    /** Seconds after which another try makes sense (Retry-After, RFC 9110 10.2.3). */
    readonly retryAfter: number | null = null,
  ) {
    super(message);
  }
}

/** The code of an answer to somebody who has no session, or none any more. */
export const notSignedIn = "not_signed_in";

/** Headers, and a body that can be sent again. */
export interface Sent {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  headers?: Record<string, string>;
  body?: string | Blob;
  /** Ends it early. */
  signal?: AbortSignal;
}

/**
 * Sends a request as the one who is signed in. Where the session has ended, it waits until the same account has signed in
 * again and is sent once more: a page loses nothing of what was begun.
 */
export async function send(path: string, sent: Sent = {}): Promise<Response> {
  for (;;) {
    const proof = csrf();
    const response = await sendAsIs(path, sent);
    if (response.status !== 401 || (await problemOf(response.clone())).code !== notSignedIn) return response;
    // A late answer may be about the session before this one.
    if (csrf() !== undefined && csrf() !== proof) continue;
    refused();
    await restored();
  }
}

/** Sends a request that makes sense without a session: an answer of 401 is the answer. */
export function sendAsIs(path: string, { method = "GET", headers, body, signal }: Sent = {}): Promise<Response> {
  const proof = csrf();
  return fetch(path, {
    method,
    headers: { Accept: "application/json", ...headers, ...(method !== "GET" && proof && { "X-Hilum-Csrf": proof }) },
    ...(body !== undefined && { body }),
    ...(signal && { signal }),
  });
}

/** The body of a success; a refusal is thrown. */
export async function answer<T>(response: Response): Promise<T> {
  if (!response.ok) throw await problemOf(response);
  const text = await response.text();
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

/** What a refusal says. */
export async function problemOf(response: Response): Promise<ApiError> {
  const problem = (await response.json().catch(() => null)) as { code?: string; message?: string } | null;
  const after = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  return new ApiError(
    response.status,
    problem?.code ?? "unknown",
    problem?.message ?? response.statusText,
    Number.isNaN(after) ? null : after,
  );
}

/** Where a study is at the API. */
export const studyAddress = (uid: string) => `/api/v1/studies/${encodeURIComponent(uid)}`;

/** A request with a JSON body. */
export function json(method: "POST" | "PUT" | "PATCH", body: unknown): Sent {
  return { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
}

export async function request<T>(path: string, sent?: Sent): Promise<T> {
  return answer(await send(path, sent));
}
