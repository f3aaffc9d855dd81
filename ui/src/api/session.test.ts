import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { refusal, serve, sessionOf, unknown } from "../testing/server";
import { sessionApi } from "./access";
import { ApiError, json, request, send } from "./http";
import { csrf, refused, sessionState, signedIn, SessionLost, signedOut } from "./session";

const hong = sessionOf(1, "hong", ["viewer"]);
const things = "/api/v1/things";

beforeEach(() => {
  signedOut();
  signedIn(hong);
});
afterEach(() => vi.unstubAllGlobals());

/** Runs what is already due. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

describe("a request", () => {
  it("carries the session's proof when it changes something, and not when it reads", async () => {
    const heard = serve({ [`GET ${things}`]: () => Response.json({}), [`POST ${things}`]: () => Response.json({}) });
    await request(things);
    await request(things, json("POST", {}));
    expect(heard.map(({ csrf }) => csrf)).toEqual([null, "proof-1"]);
  });

  it("is thrown as the server refused it, with the seconds to wait", async () => {
    serve({ "POST /api/v1/session": () => refusal(429, "too_many_attempts", { "Retry-After": "17" }) });
    const error = await sessionApi.signIn("hong", "wrong").catch((error: unknown) => error);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ status: 429, code: "too_many_attempts", retryAfter: 17 });
  });

  it("waits for an ended session and is sent once more, body and all, with the new proof", async () => {
    let known = false;
    const heard = serve({ [`POST ${things}`]: ({ body }) => (known ? Response.json(body) : unknown()) });
    const done = request<{ n: number }>(things, json("POST", { n: 7 }));
    await settle();
    expect(sessionState()).toEqual({ kind: "ended", session: hong });
    expect(csrf()).toBeUndefined();
    known = true;
    signedIn({ ...hong, csrf: "proof-new" });
    expect(await done).toEqual({ n: 7 });
    expect(heard.map(({ csrf }) => csrf)).toEqual(["proof-1", "proof-new"]);
  });

  it("is never sent in the name of another account", async () => {
    const heard = serve({ [`POST ${things}`]: unknown });
    const done = request(things, json("POST", {})).catch((error: unknown) => error);
    await settle();
    signedIn(sessionOf(2, "kim", ["administrator"]));
    expect(await done).toBeInstanceOf(SessionLost);
    expect(heard.length).toBe(1);
  });

  it("fails when its account signs out instead", async () => {
    serve({ [`GET ${things}`]: unknown });
    const done = request(things).catch((error: unknown) => error);
    await settle();
    signedOut();
    expect(await done).toBeInstanceOf(SessionLost);
    expect(sessionState()).toEqual({ kind: "out", returns: false });
  });

  it("of a session before this one does not end this one", async () => {
    let answers: (response: Response) => void = () => undefined;
    let asked = 0;
    serve({
      [`GET ${things}`]: () =>
        (asked += 1) === 1 ? new Promise<Response>((resolve) => (answers = resolve)) : Response.json({ fresh: true }),
    });
    const late = request<{ fresh: boolean }>(things);
    await settle();
    refused();
    signedIn({ ...hong, csrf: "proof-new" });
    answers(unknown());
    expect(await late).toEqual({ fresh: true });
    expect(sessionState().kind).toBe("in");
  });

  it("refused for its password says so, and ends nothing", async () => {
    serve({ "PUT /api/v1/session/password": () => refusal(401, "wrong_credentials") });
    await expect(sessionApi.changePassword("wrong", "another long one")).rejects.toMatchObject({ code: "wrong_credentials" });
    expect(sessionState().kind).toBe("in");
  });

  it("hands over any other answer as it came", async () => {
    serve({ [`GET ${things}`]: () => refusal(403, "forbidden") });
    const response = await send(things);
    expect([response.status, await response.json()]).toEqual([403, { code: "forbidden", message: "refused: forbidden" }]);
  });
});

describe("nobody's page", () => {
  it("comes back to what was asked for, and not after signing out", () => {
    signedOut();
    expect(sessionState()).toEqual({ kind: "out", returns: false });
    refused();
    expect(sessionState()).toEqual({ kind: "out", returns: true });
  });
});
