import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { createMemoryRouter, RouterProvider } from "react-router";
import { expect, it } from "vitest";

import type { Role } from "../../../api/access";
import { noEdits, type Review, type VerdictView } from "../../../api/review";
import { signedIn } from "../../../api/session";
import type { Stone, UrinaryStoneReport } from "../../../api/types";
import { hasUnsaved } from "../../../components/unsaved";
import en from "../../../i18n/later-en.json";
import ko from "../../../i18n/later-ko.json";
import { furnish, inEnglish } from "../../../testing/browser";
import { refusal, serve, sessionOf } from "../../../testing/server";
import { ReviewCard } from "./ReviewCard";

inEnglish();

const stone = (number: number): Stone => ({
  number, side: "left", part: "kidney", centre_mm: null, centre_index: [0, 0, 0], bounding_box: { min: [0, 0, 0], max: [1, 1, 1] }, largest_diameter_mm: 10 - number, axial_diameter_mm: null, volume_mm3: null,
  voxels: 1, hu: { mean: 900, max: 1000, sd: 50 }, score: 0.9, slices: { first: 1, last: 2, key: 1, table_position_mm: null },
});
const report = { version: 1, stones: [stone(1), stone(2)] } as UrinaryStoneReport;
const verdict = (word: VerdictView["verdict"]): VerdictView => ({ verdict: word, edits: noEdits, comment: "", by: "Dr Lee", at: "2026-11-26T01:02:03Z" });
const review = (revision: number, verdicts: (VerdictView | null)[], more: Partial<Review> = {}): Review => ({
  version: 1, state: "unsigned", open: true, revision,
  findings: verdicts.map((one, index) => ({ number: index + 1, added: index > 1, verdict: one, history: [] })),
  conclusion: { en: "", ko: "" },
  ...more,
});

const address = "/api/v1/studies/1.2.3/report/versions/1";

function show(roles: Role[], onSigned = () => undefined) {
  furnish();
  signedIn(sessionOf(1, "kim", roles));
  const router = createMemoryRouter(
    [
      { path: "/studies/1.2.3", element: <ReviewCard studyUid="1.2.3" report={report} onSigned={onSigned} /> },
      { path: "/", element: <p>The list</p> },
    ],
    { initialEntries: ["/studies/1.2.3"] },
  );
  const shown = render(
    <MantineProvider>
      <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>,
  );
  return { ...shown, router };
}

/** Whether the browser asks before this page is closed or loaded again. */
const asks = () => !window.dispatchEvent(new Event("beforeunload", { cancelable: true }));

it("is judged by keys, each with the revision that was seen, and the arrows go from row to row", async () => {
  let now = review(4, [null, null]);
  const heard = serve({
    [`GET ${address}/review`]: () => Response.json(now),
    "GET /api/v1/quick-texts": () => Response.json([]),
    [`PUT ${address}/review/findings/1`]: () => Response.json((now = review(5, [verdict("accepted"), null]))),
    [`PUT ${address}/review/findings/2`]: () => Response.json((now = review(6, [verdict("accepted"), verdict("rejected")]))),
  });
  show(["radiologist"]);
  const first = await screen.findByRole("group", { name: "Finding 1" });
  first.focus();
  fireEvent.keyDown(first, { key: "a" });
  await screen.findByText("Accepted");
  fireEvent.keyDown(first, { key: "ArrowDown" });
  const second = screen.getByRole("group", { name: "Finding 2" });
  expect(document.activeElement).toBe(second);
  fireEvent.keyDown(second, { key: "r" });
  await screen.findByText("Rejected: no stone");
  const sent = heard.filter((one) => one.act.startsWith("PUT")).map((one) => one.body as { revision: number; verdict: string });
  expect(sent.map(({ revision, verdict }) => [revision, verdict])).toEqual([[4, "accepted"], [5, "rejected"]]);
  // What is typed is no verdict.
  fireEvent.keyDown(screen.getByLabelText("Comment on finding 1"), { key: "r" });
  await new Promise((done) => setTimeout(done, 100));
  expect(heard.filter((one) => one.act.startsWith("PUT"))).toHaveLength(2);
});

it("offers its ready words in the language that is written, not in that of the page", async () => {
  serve({ [`GET ${address}/review`]: () => Response.json(review(4, [null, null])), "GET /api/v1/quick-texts": () => Response.json([]) });
  show(["radiologist"]);
  const offered = async (text: string) => {
    fireEvent.click(await screen.findByRole("button", { name: en.review.quickTexts }));
    fireEvent.click(await screen.findByText(text));
  };
  await offered(en.review.ready.none);
  fireEvent.click(screen.getByLabelText("한국어"));
  await offered(ko.review.ready.none);
  expect(screen.getByRole<HTMLTextAreaElement>("textbox", { name: "Conclusion" }).value).toBe(ko.review.ready.none);
});

it("asks before a conclusion that is not kept is left, and lets go of the page once it is kept", async () => {
  let now = review(4, [null, null]);
  serve({
    [`GET ${address}/review`]: () => Response.json(now),
    "GET /api/v1/quick-texts": () => Response.json([]),
    [`PUT ${address}/review/conclusion`]: ({ body }) => {
      now = { ...review(5, [null, null]), conclusion: (body as { conclusion: Review["conclusion"] }).conclusion };
      return Response.json(now);
    },
  });
  const { router } = show(["radiologist"]);
  const box = () => screen.getByRole<HTMLTextAreaElement>("textbox", { name: "Conclusion" });
  await screen.findByRole("textbox", { name: "Conclusion" });
  expect(asks()).toBe(false);
  fireEvent.change(box(), { target: { value: "A stone." } });
  expect(asks()).toBe(true);

  const leave = (to: string) => act(() => router.navigate(to));
  const question = () => screen.findByRole("dialog", { name: en.review.leave.title });
  const closed = () => waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  // What is looked at may change in the address; another version is another text.
  await leave("/studies/1.2.3?finding=2");
  expect([screen.queryByRole("dialog"), router.state.location.search]).toEqual([null, "?finding=2"]);
  await leave("/studies/1.2.3?version=1");
  fireEvent.click(within(await question()).getByRole("button", { name: "Stay here" }));
  await closed();
  // Escape stays, too, and is not heard by the page below.
  let below = 0;
  const hear = (event: KeyboardEvent) => (below += Number(event.key === "Escape"));
  document.documentElement.addEventListener("keydown", hear);
  await leave("/");
  const dialog = await question();
  fireEvent.keyDown(within(dialog).getByRole("button", { name: "Stay here" }), { key: "Escape" });
  document.documentElement.removeEventListener("keydown", hear);
  await closed();
  expect([below, box().value, router.state.location.pathname]).toEqual([0, "A stone.", "/studies/1.2.3"]);

  fireEvent.click(screen.getByRole("button", { name: "Keep the conclusion" }));
  await waitFor(() => expect(asks()).toBe(false));
  await leave("/");
  await screen.findByText("The list");
});

it("discards a conclusion that is not kept where that is the answer", async () => {
  serve({ [`GET ${address}/review`]: () => Response.json(review(4, [null, null])), "GET /api/v1/quick-texts": () => Response.json([]) });
  const { router } = show(["radiologist"]);
  fireEvent.change(await screen.findByRole("textbox", { name: "Conclusion" }), { target: { value: "A stone." } });
  await act(() => router.navigate("/"));
  fireEvent.click(await screen.findByRole("button", { name: "Leave and discard" }));
  await screen.findByText("The list");
  expect(asks()).toBe(false);
});

it("asks before a comment without a verdict is left, and the report is not signed over it", async () => {
  let now = review(4, [null, null]);
  serve({
    [`GET ${address}/review`]: () => Response.json(now),
    "GET /api/v1/quick-texts": () => Response.json([]),
    [`PUT ${address}/review/findings/1`]: ({ body }) => {
      now = review(5, [{ ...verdict("accepted"), comment: (body as { comment: string }).comment }, null]);
      return Response.json(now);
    },
  });
  show(["radiologist"]);
  const comment = await screen.findByLabelText("Comment on finding 1");
  const sign = () => screen.getByRole<HTMLButtonElement>("button", { name: "Sign" });
  expect([asks(), hasUnsaved(), sign().disabled]).toEqual([false, false, false]);
  fireEvent.change(comment, { target: { value: "At the UVJ" } });
  fireEvent.blur(comment);
  await screen.findByText(en.review.commentWaits);
  expect([asks(), hasUnsaved(), sign().disabled]).toEqual([true, true, true]);
  fireEvent.click(screen.getAllByRole("button", { name: "Accept" })[0]!);
  await screen.findByText("Accepted");
  await waitFor(() => expect([asks(), hasUnsaved(), sign().disabled]).toEqual([false, false, false]));
  expect(screen.queryByText(en.review.commentWaits)).toBeNull();
});

it("tells whoever was slower, and shows what the other one said", async () => {
  let now = review(0, [null, null]);
  serve({
    [`GET ${address}/review`]: () => Response.json(now),
    "GET /api/v1/quick-texts": () => Response.json([]),
    [`PUT ${address}/review/findings/1`]: () => {
      now = review(1, [null, verdict("rejected")]);
      return refusal(409, "review_changed");
    },
  });
  show(["radiologist"]);
  fireEvent.click((await screen.findAllByRole("button", { name: "Accept" }))[0]!);
  await screen.findByText(/Somebody else changed the review meanwhile/);
  await screen.findByText("Rejected: no stone");
});

it("is signed with the password once more, after the rest was accepted on purpose", async () => {
  let signed = 0;
  const heard = serve({
    [`GET ${address}/review`]: () => Response.json(review(3, [verdict("accepted"), null])),
    "GET /api/v1/quick-texts": () => Response.json([]),
    [`POST ${address}/sign`]: ({ body }) =>
      (body as { password: string }).password === "right" ? Response.json({ version: 2 }, { status: 201 }) : refusal(401, "wrong_credentials"),
  });
  show(["radiologist"], () => {
    signed += 1;
    return undefined;
  });
  fireEvent.click(await screen.findByRole("button", { name: "Sign" }));
  const dialog = await screen.findByRole("dialog");
  const submit = () => [...dialog.querySelectorAll("button")].find((button) => button.type === "submit")!;
  fireEvent.change(await screen.findByLabelText("Your password, once more"), { target: { value: "wrong" } });
  expect(submit().disabled).toBe(true);
  fireEvent.click(screen.getByLabelText("Accept the 1 finding without a verdict"));
  fireEvent.click(submit());
  await screen.findByText("This is not your password.");
  fireEvent.change(screen.getByLabelText("Your password, once more"), { target: { value: "right" } });
  fireEvent.click(submit());
  await waitFor(() => expect(signed).toBe(1));
  expect(heard.findLast((one) => one.act === `POST ${address}/sign`)?.body).toEqual({
    revision: 3, accept_rest: true, reason: "", password: "right",
  });
});

it("is not changed by the way once it is signed: an amendment is begun on purpose, and says why", async () => {
  let signed = 0;
  const heard = serve({
    [`GET ${address}/review`]: () => Response.json(review(0, [verdict("accepted"), verdict("rejected")], { state: "signed" })),
    "GET /api/v1/quick-texts": () => Response.json([]),
    [`POST ${address}/sign`]: () => Response.json({ version: 3 }, { status: 201 }),
  });
  show(["radiologist"], () => {
    signed += 1;
    return undefined;
  });
  await screen.findByText("Accepted");
  expect(screen.queryByRole("button", { name: "Reject" })).toBeNull();
  fireEvent.keyDown(screen.getByRole("group", { name: "Finding 1" }), { key: "r" });
  await new Promise((done) => setTimeout(done, 100));
  fireEvent.click(screen.getByRole("button", { name: "Amend" }));
  fireEvent.click(await screen.findByRole("button", { name: "Sign an amendment" }));
  const dialog = await screen.findByRole("dialog");
  const submit = () => [...dialog.querySelectorAll("button")].find((button) => button.type === "submit")!;
  fireEvent.change(await screen.findByLabelText("Your password, once more"), { target: { value: "right" } });
  expect(submit().disabled).toBe(true);
  fireEvent.change(screen.getByLabelText("Reason for the amendment"), { target: { value: "A stone was missed." } });
  fireEvent.click(submit());
  await waitFor(() => expect(signed).toBe(1));
  expect(heard.filter((one) => !one.act.startsWith("GET")).map((one) => one.body)).toEqual([
    { revision: 0, accept_rest: false, reason: "A stone was missed.", password: "right" },
  ]);
});

it("is for looking only to whoever may not judge, and where another version took the place of this one", async () => {
  serve({ [`GET ${address}/review`]: () => Response.json(review(3, [verdict("accepted"), null])) });
  const shown = show(["viewer"]);
  await screen.findByText("Accepted");
  expect(screen.queryAllByRole("button")).toEqual([]);
  shown.unmount();
  serve({ [`GET ${address}/review`]: () => Response.json(review(3, [verdict("accepted"), null], { open: false, state: "superseded" })) });
  show(["radiologist"]);
  await screen.findByText("Superseded");
  expect(screen.queryAllByRole("button")).toEqual([]);
});
