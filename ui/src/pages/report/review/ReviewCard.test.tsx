import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { fireEvent, render, screen, waitFor } from "@testing-library/react";
import { expect, it } from "vitest";

import type { Role } from "../../../api/access";
import { noEdits, type Review, type VerdictView } from "../../../api/review";
import { signedIn } from "../../../api/session";
import type { Stone, UrinaryStoneReport } from "../../../api/types";
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
  return render(
    <MantineProvider>
      <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
        <ReviewCard studyUid="1.2.3" report={report} onSigned={onSigned} />
      </QueryClientProvider>
    </MantineProvider>,
  );
}

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
