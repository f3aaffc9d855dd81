import "../../i18n";

import { QueryClient } from "@tanstack/react-query";
import { cleanup, configure, fireEvent, render, screen } from "@testing-library/react";
import i18next from "i18next";
import { createMemoryRouter } from "react-router";
import { afterEach, beforeAll, beforeEach, expect, it } from "vitest";

import { refused, signedOut } from "../../api/session";
import { App } from "../../app/App";
import { routes } from "../../app/routes";
import { furnish } from "../../testing/browser";
import { type Heard, refusal, serve, sessionOf, unknown } from "../../testing/server";

beforeAll(async () => {
  furnish();
  configure({ asyncUtilTimeout: 10_000 });
  await i18next.changeLanguage("en");
});
beforeEach(() => {
  signedOut();
  refused();
});
afterEach(() => cleanup());

const codes = ["aaaa-bbbb", "cccc-dddd"];
const authenticator = { secret: "MZXW6YTB", uri: "otpauth://totp/x", qr: { size: 33, path: "M4 4h7v1h-7z" } };

/** A server whose account needs a code, or, where `missing`, has nothing that makes one yet. */
function hospital(missing: boolean) {
  const session = sessionOf(1, "hong", ["administrator"]);
  session.second_factor.enrolled = !missing;
  let known = false;
  return serve({
    "GET /api/v1/session": () => (known ? Response.json(session) : unknown()),
    "POST /api/v1/session": ({ body }: Heard) => {
      const { password, code } = body as { password: string; code?: string };
      if (password !== "a long enough one") return refusal(401, "wrong_credentials");
      if (code === undefined) return refusal(401, missing ? "second_factor_missing" : "second_factor_needed");
      if (code.replace(" ", "") !== "123456") return refusal(401, "wrong_second_factor");
      known = true;
      return Response.json(missing ? { ...session, recovery_codes: codes } : session);
    },
    "POST /api/v1/session/second-factor": () => Response.json(authenticator),
    "POST /api/v1/second-factor": () => Response.json(authenticator),
    "PUT /api/v1/second-factor": () => Response.json({ recovery_codes: codes }),
    "GET /api/v1/system": () => Response.json({ version: "0", loopback_only: true, model: null, zone: "clinical", demo: false }),
    "GET /api/v1/accounts": () => Response.json([]),
    "GET /api/v1/institutions": () => Response.json([]),
  });
}

function open(address: string) {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(<App client={client} router={createMemoryRouter(routes(client), { initialEntries: [address] })} />);
}

async function password() {
  fireEvent.change(await screen.findByLabelText("Login"), { target: { value: "hong" } });
  fireEvent.change(screen.getByLabelText("Password"), { target: { value: "a long enough one" } });
  fireEvent.click(screen.getByRole("button", { name: "Sign in" }));
}

const tries = (heard: Heard[]) =>
  heard.filter(({ act }) => act === "POST /api/v1/session").map(({ body }) => (body as { code?: string }).code);

it("six pasted digits sign in, and wrong ones are asked for again", async () => {
  const heard = hospital(false);
  open("/");
  await password();
  const field = await screen.findByLabelText<HTMLInputElement>("Code of your authenticator");
  expect([field.autocomplete, field.inputMode]).toEqual(["one-time-code", "numeric"]);
  fireEvent.change(field, { target: { value: "000000" } });
  await screen.findByText(/The code is wrong or was used before/);
  expect(field.value).toBe("");
  fireEvent.change(field, { target: { value: "123 456" } });
  await screen.findByText("There are no accounts yet.");
  expect(tries(heard)).toEqual([undefined, "000000", "123 456"]);
});

it("a recovery code is taken in place of the digits, and only when it is sent", async () => {
  const heard = hospital(false);
  open("/");
  await password();
  fireEvent.click(await screen.findByRole("button", { name: "Use a recovery code instead" }));
  const field = screen.getByLabelText<HTMLInputElement>("Recovery code");
  expect(field.autocomplete).toBe("off");
  fireEvent.change(field, { target: { value: "abcd-efgh" } });
  expect(tries(heard)).toEqual([undefined]);
  fireEvent.click(screen.getByRole("button", { name: "Sign in" }));
  await screen.findByText(/The code is wrong or was used before/);
  expect(tries(heard)).toEqual([undefined, "abcd-efgh"]);
});

it("where everybody needs one, the sign-in adds it and shows the recovery codes before anything else", async () => {
  hospital(true);
  open("/");
  await password();
  await screen.findByRole("img", { name: "QR code for the authenticator" });
  expect(screen.getByLabelText<HTMLInputElement>("Key").value).toBe("MZXW6YTB");
  fireEvent.change(screen.getByLabelText("Code of your authenticator"), { target: { value: "123456" } });
  await screen.findByText("cccc-dddd");
  expect(screen.queryByText("There are no accounts yet.")).toBeNull();
  fireEvent.click(screen.getByRole("button", { name: "I have kept them" }));
  await screen.findByText("There are no accounts yet.");
});
