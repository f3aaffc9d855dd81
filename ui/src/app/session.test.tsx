import "../i18n";

import { QueryClient } from "@tanstack/react-query";
import { cleanup, configure, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import i18next from "i18next";
import { createMemoryRouter } from "react-router";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import type { Role } from "../api/access";
import { refused, signedIn, signedOut } from "../api/session";
import type { StudyDetail } from "../api/types";
import { holdUnsaved } from "../components/unsaved";
import { furnish } from "../testing/browser";
import { type Heard, refusal, serve, sessionOf, unknown } from "../testing/server";
import { App } from "./App";
import { routes } from "./routes";

beforeAll(async () => {
  furnish();
  configure({ asyncUtilTimeout: 10_000 });
  await i18next.changeLanguage("en");
});

const uid = "1.2.3.4";
const study: StudyDetail = {
  study_uid: uid,
  patient: { name: "Hong^Gildong", name_ideographic: null, name_phonetic: null, id: "P1", sex: "M", birth_date: "" },
  study_date: "2026-11-26", study_time: "10:00:00", description: "KUB", accession: "", institution: "LOCAL", received_at: "2026-11-26T01:00:00Z",
  priority: "routine", workflow: "unread", body_parts: ["ABDOMEN"], contrast: false, modalities: ["CT"], series_count: 1, instance_count: 1,
  synthetic: true, series: [], conflicts: [],
  reading: { state: "cancelled", progress: 0, reason: null, stone_present: null, stone_count: null, highest_score: null },
};

const peer = { id: "peer", name: "Peer", issuer: "https://login.example" };

/** A server with one study, an account of these roles, and whether it knows the session. */
function hospital(roles: Role[], login = "hong", id = 1) {
  const providers: (typeof peer)[] = [];
  const state = { known: false, session: sessionOf(id, login, roles), password: "a long enough one", providers, down: false };
  const known = (answer: () => Response) => () => (state.known ? answer() : unknown());
  const heard = serve({
    "GET /api/v1/session": known(() => Response.json(state.session)),
    "POST /api/v1/session": ({ body }: Heard) => {
      const { password } = body as { password: string };
      if (password !== state.password) return refusal(401, "wrong_credentials");
      state.known = true;
      return Response.json(state.session);
    },
    "DELETE /api/v1/session": () => {
      state.known = false;
      return new Response(null, { status: 204 });
    },
    "GET /api/v1/system": known(() => Response.json({ version: "0", loopback_only: true, model: null, zone: "clinical", demo: false })),
    "GET /api/v1/activity": known(() => Response.json({ imports: [], readings: [], queue_depth: 0 })),
    "GET /api/v1/quarantine": known(() => Response.json([])),
    "POST /api/v1/studies/search": known(() => Response.json({ items: [study], next: null })),
    [`GET /api/v1/studies/${uid}`]: known(() => Response.json(study)),
    "GET /api/v1/accounts": known(() => Response.json([])),
    "GET /api/v1/institutions": known(() => Response.json([])),
    "GET /api/v1/openid": () => Response.json(state.providers),
    "POST /api/v1/openid/peer": () => (state.down ? refusal(502, "openid_unreachable") : Response.json({ location: "#at-the-peer" })),
    "GET /api/v1/identities": known(() => Response.json([{ id: 7, issuer: peer.issuer, subject: "sub-1", linked_at: "2026-11-26T10:00:00Z", last_used_at: null }])),
    "DELETE /api/v1/identities/7": known(() => refusal(409, "conflict")),
  });
  return { state, heard };
}

function open(address: string) {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const router = createMemoryRouter(routes(client), { initialEntries: [address] });
  render(<App client={client} router={router} />);
  return { router, client };
}

async function signIn(password: string) {
  fireEvent.change(await screen.findByLabelText("Login"), { target: { value: "hong" } });
  fireEvent.change(screen.getByLabelText("Password"), { target: { value: password } });
  fireEvent.click(screen.getByRole("button", { name: "Sign in" }));
}

/** What the account's menu offers. In jsdom nothing has a place, and Mantine hides what stands at a place that is out of sight. */
async function menu() {
  fireEvent.click(screen.getByRole("button", { name: "Account of Name of hong" }));
  return screen.findAllByRole("menuitem", { hidden: true });
}

beforeEach(() => {
  signedOut();
  refused();
});
afterEach(() => cleanup());

describe("a page", () => {
  it("that is asked for without a session opens after the sign-in, and its address never shows what it was", async () => {
    hospital(["radiologist"]);
    const { router } = open(`/studies/${uid}`);
    await screen.findByLabelText("Login");
    expect([router.state.location.pathname, router.state.location.search]).toEqual(["/sign-in", ""]);
    await signIn("not this one");
    await screen.findByText("Login or password is wrong.");
    await signIn("a long enough one");
    await screen.findByRole("heading", { name: "Hong Gildong" });
    expect(router.state.location.pathname).toBe(`/studies/${uid}`);
  });

  it("stays as it is below the question to sign in again", async () => {
    const { state } = hospital(["radiologist"]);
    const { client } = open("/");
    await signIn("a long enough one");
    const search = await screen.findByLabelText("Name, patient ID or description");
    fireEvent.change(search, { target: { value: "Hong" } });
    state.known = false;
    void client.invalidateQueries();
    const dialog = await screen.findByRole("dialog", { name: "Your session has ended" });
    expect(within(dialog).getByLabelText<HTMLInputElement>("Login").readOnly).toBe(true);
    fireEvent.change(within(dialog).getByLabelText("Password"), { target: { value: "a long enough one" } });
    fireEvent.click(within(dialog).getByRole("button", { name: "Sign in" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(screen.getByLabelText<HTMLInputElement>("Name, patient ID or description").value).toBe("Hong");
    await screen.findByText("Hong Gildong");
  });

  it("is forgotten, with all it knew, when somebody signs out", async () => {
    const { heard } = hospital(["radiologist"]);
    const { router, client } = open(`/studies/${uid}`);
    await signIn("a long enough one");
    await screen.findByRole("heading", { name: "Hong Gildong" });
    fireEvent.click((await menu()).at(-1) as HTMLElement);
    await screen.findByLabelText("Login");
    expect(heard.find(({ act }) => act === "DELETE /api/v1/session")?.csrf).toBe("proof-1");
    // What the page to sign in asks for anew is all that there is.
    expect(client.getQueryCache().getAll().map(({ queryKey }) => queryKey)).toEqual([["providers"]]);
    await signIn("a long enough one");
    await screen.findByRole("heading", { name: "Studies" });
    expect(router.state.location.pathname).toBe("/");
  });

  it("is not left for the sign-in while something is written and not kept, unless that is the answer", async () => {
    const { heard } = hospital(["radiologist"]);
    const { router } = open(`/studies/${uid}`);
    await signIn("a long enough one");
    await screen.findByRole("heading", { name: "Hong Gildong" });
    const release = holdUnsaved();
    const signOut = async () => fireEvent.click((await menu()).at(-1) as HTMLElement);
    await signOut();
    fireEvent.click(await screen.findByRole("button", { name: "Stay here" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect([heard.some(({ act }) => act.startsWith("DELETE")), router.state.location.pathname]).toEqual([false, `/studies/${uid}`]);
    await signOut();
    fireEvent.click(await screen.findByRole("button", { name: "Leave and discard" }));
    await screen.findByLabelText("Login");
    release();
  });

  it("that the roles do not allow says which role does", async () => {
    const { heard } = hospital(["viewer"]);
    open("/admin/audit");
    await signIn("a long enough one");
    await screen.findByText(/It needs the role Data steward;/);
    expect(heard.some(({ act }) => act.includes("audit"))).toBe(false);
  });
});

describe("what a role may not do", () => {
  it("is not offered: a viewer neither resumes a reading nor manages nor sends", async () => {
    hospital(["viewer"]);
    open(`/studies/${uid}`);
    await signIn("a long enough one");
    await screen.findByRole("heading", { name: "Hong Gildong" });
    expect(screen.queryByRole("button", { name: "Read again" })).toBeNull();
    expect((await menu()).map((item) => item.textContent)).toEqual(["Change password", "Second factor", "API tokens", "Sign out"]);
    fireEvent.click(screen.getByRole("link", { name: "← Studies" }));
    await screen.findByRole("row", { name: /Hong Gildong/ });
    expect(screen.queryByRole("button", { name: "Choose files or zips" })).toBeNull();
    expect(screen.queryByText(/drop DICOM files/i)).toBeNull();
  });

  it("is offered to those who may", async () => {
    hospital(["radiologist", "data_steward"]);
    open(`/studies/${uid}`);
    await signIn("a long enough one");
    await screen.findByRole("button", { name: "Read again" });
    expect((await menu()).map((item) => item.textContent)).toEqual(["Change password", "Second factor", "API tokens", "Agreement with models", "Audit trail", "Sign out"]);
    fireEvent.click(screen.getByRole("link", { name: "← Studies" }));
    await screen.findByRole("button", { name: "Choose files or zips" });
    await screen.findByText(/drop DICOM files/i);
  });

  it("is not asked for: an administrator begins at the accounts, and no request names a study", async () => {
    const { heard } = hospital(["administrator"]);
    open("/");
    await signIn("a long enough one");
    await screen.findByText("There are no accounts yet.");
    const asked = [...new Set(heard.map(({ act }) => act))].filter((act) => !act.includes("/session"));
    expect(asked.sort()).toEqual(["GET /api/v1/accounts", "GET /api/v1/openid", "GET /api/v1/system"]);
  });
});

describe("a provider", () => {
  it("is a way in beside the password, and is told which page was asked for", async () => {
    const { heard, state } = hospital(["viewer"]);
    state.providers = [peer];
    open(`/studies/${uid}`);
    fireEvent.click(await screen.findByRole("button", { name: "Sign in with Peer" }));
    await waitFor(() => expect(window.location.hash).toBe("#at-the-peer"));
    expect(heard.find(({ act }) => act === "POST /api/v1/openid/peer")?.body).toEqual({ return_to: `/studies/${uid}` });
    window.location.hash = "";
  });

  it("that is down leaves the password", async () => {
    const { state } = hospital(["viewer"]);
    Object.assign(state, { providers: [peer], down: true });
    open("/");
    fireEvent.click(await screen.findByRole("button", { name: "Sign in with Peer" }));
    await screen.findByText(/The provider does not answer/);
    await signIn("a long enough one");
    await screen.findByRole("heading", { name: "Studies" });
  });

  it("that let nobody in is told of in words of ours, by a code of ours", async () => {
    hospital(["viewer"]);
    for (const [hash, words] of [
      ["openid_denied", /did not let you in/],
      ["openid_nonce", /was not accepted \(openid_nonce\)/],
      ["<img src=x>", null],
    ] as const) {
      open(`/sign-in#openid=${hash}`);
      await screen.findByLabelText("Login");
      if (words) await screen.findByText(words);
      else expect(screen.queryByRole("alert")).toBeNull();
      cleanup();
    }
  });

  it("that was not linked is told of where one links; whoever signs in after a refusal goes on", async () => {
    const { state } = hospital(["viewer"]);
    Object.assign(state, { known: true, providers: [peer] });
    signedIn(state.session);
    const { router: linking } = open("/sign-in#openid=openid_state");
    await waitFor(() => expect(linking.state.location.pathname).toBe("/settings/sign-in"));
    await screen.findByText(/was not begun in this browser/);
    cleanup();
    signedOut();
    const { router: signing } = open("/sign-in#openid=openid_login_taken");
    await screen.findByText(/There is an account with your login/);
    await signIn("a long enough one");
    await screen.findByRole("heading", { name: "Studies" });
    expect(signing.state.location.pathname).toBe("/");
  });

  it("is unlinked by its owner, unless it is the only way in", async () => {
    const { state } = hospital(["viewer"]);
    state.providers = [peer];
    open("/settings/sign-in#openid=linked");
    await signIn("a long enough one");
    fireEvent.click(await screen.findByRole("button", { name: "Unlink Peer" }));
    fireEvent.click(within(await screen.findByRole("dialog")).getByRole("button", { name: "Unlink" }));
    await screen.findByText(/This is the only way to sign in/);
  });
});

describe("a one-time link", () => {
  const password = "seven green boats";
  const use = (secret: string) => {
    const used: unknown[] = [];
    serve({
      "POST /api/v1/links/check": ({ body }: Heard) =>
        (body as { link: string }).link === secret
          ? Response.json({ purpose: "first_administrator", login: null, name: null })
          : refusal(404, "link_unknown"),
      "POST /api/v1/links/use": ({ body }: Heard) => {
        used.push(body);
        return used.length === 1 ? refusal(400, "weak_password") : Response.json(sessionOf(1, "kim", ["administrator"]));
      },
      "GET /api/v1/accounts": () => Response.json([]),
      "GET /api/v1/institutions": () => Response.json([]),
    });
    return used;
  };

  it("leaves the address at once, makes the account, and signs in", async () => {
    const used = use("secret");
    const { router } = open("/welcome#secret");
    await screen.findByRole("heading", { name: "Welcome to Hilum" });
    expect([router.state.location.pathname, router.state.location.hash]).toEqual(["/welcome", ""]);
    fireEvent.change(await screen.findByLabelText("Login"), { target: { value: "kim" } });
    fireEvent.change(screen.getByLabelText(/^Name/), { target: { value: "Kim" } });
    fireEvent.change(screen.getByLabelText("New password"), { target: { value: password } });
    const make = screen.getByRole<HTMLButtonElement>("button", { name: "Make the account and sign in" });
    expect(make.disabled).toBe(true);
    fireEvent.change(screen.getByLabelText("New password again"), { target: { value: password } });
    fireEvent.click(make);
    await screen.findByText(/This password is too easy to guess/);
    fireEvent.click(make);
    // The first account goes on to the first steps of the installation.
    await screen.findByRole("heading", { name: "First steps" });
    expect(router.state.location.pathname).toBe("/setup");
    expect(used[1]).toEqual({ link: "secret", login: "kim", name: "Kim", password });
  });

  it("that no longer works says where to get another", async () => {
    use("secret");
    open("/welcome#old");
    await screen.findByText(/Ask an administrator of your institution for a new one/);
  });
});
