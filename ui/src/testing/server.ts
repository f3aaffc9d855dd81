import { vi } from "vitest";

import { permissionsOf, type Role, type Session } from "../api/access";

/** What a test's server heard. */
export interface Heard {
  act: string;
  csrf: string | null;
  query: Record<string, string>;
  body: unknown;
}

type Answer = (heard: Heard) => Response | Promise<Response>;

/** Puts a server in the place of `fetch`: answers by `METHOD /path`, read anew at each request. What has no answer is not found. */
export function serve(answers: Record<string, Answer>): Heard[] {
  const heard: Heard[] = [];
  vi.stubGlobal("fetch", async (address: string, init: RequestInit = {}) => {
    const [path, query] = address.split("?");
    const body = typeof init.body === "string" ? (JSON.parse(init.body) as unknown) : init.body;
    const one = {
      act: `${init.method ?? "GET"} ${path}`,
      csrf: new Headers(init.headers).get("X-Hilum-Csrf"),
      query: Object.fromEntries(new URLSearchParams(query)),
      body,
    };
    heard.push(one);
    return answers[one.act]?.(one) ?? refusal(404, "not_found");
  });
  return heard;
}

export function refusal(status: number, code: string, headers: HeadersInit = {}): Response {
  return Response.json({ code, message: `refused: ${code}` }, { status, headers });
}

export const unknown = () => refusal(401, "not_signed_in");

/** A session of an account with these roles in one institution. */
export function sessionOf(id: number, login: string, roles: Role[], csrf = `proof-${id}`): Session {
  return {
    account: { id, login, name: `Name of ${login}` },
    csrf,
    institutions: [{ code: "LOCAL", name: "Here", roles, permissions: roles.flatMap((role) => permissionsOf[role]) }],
    second_factor: { enrolled: false, required: false, recovery_codes_left: 0, reset_at: null },
  };
}
