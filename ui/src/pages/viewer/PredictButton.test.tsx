import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { fireEvent, render, screen, waitFor } from "@testing-library/react";
import { expect, it } from "vitest";

import type { Role } from "../../api/access";
import { signedIn } from "../../api/session";
import type { ReadingState, StudyDetail } from "../../api/types";
import { furnish, inEnglish } from "../../testing/browser";
import { refusal, serve, sessionOf } from "../../testing/server";
import { PredictButton } from "./PredictButton";

inEnglish();

function show(reading: Partial<ReadingState>, roles: Role[] = ["radiologist"]) {
  furnish();
  signedIn(sessionOf(1, "kim", roles));
  const state = { state: "done", progress: 0, reason: null, stone_present: false, stone_count: 0, highest_score: null, ...reading };
  return render(
    <MantineProvider>
      <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
        <PredictButton study={{ study_uid: "1.2.3", reading: state } as StudyDetail} />
      </QueryClientProvider>
    </MantineProvider>,
  );
}

it("asks for a reading, also where there was one, and says why it may not", async () => {
  const heard = serve({ "POST /api/v1/studies/1.2.3/reading": () => refusal(409, "conflict") });
  show({ stone_present: true, stone_count: 2 });
  expect(screen.getByRole("status").textContent).toBe("2 stones found");
  fireEvent.click(screen.getByRole("button", { name: "Predict" }));
  await screen.findByRole("alert");
  expect(heard.map(({ act }) => act)).toEqual(["POST /api/v1/studies/1.2.3/reading"]);
});

it("says how far a reading is, and stops it", async () => {
  const heard = serve({ "POST /api/v1/studies/1.2.3/reading/cancel": () => Response.json({ state: "cancelled" }) });
  show({ state: "reading", progress: 0.42 });
  expect(screen.getByRole("progressbar", { name: "Reading" }).getAttribute("aria-valuenow")).toBe("42");
  fireEvent.click(screen.getByRole("button", { name: "Cancel" }));
  await waitFor(() => expect(heard.map(({ act }) => act)).toEqual(["POST /api/v1/studies/1.2.3/reading/cancel"]));
});

it("goes on with a reading that was stopped, and offers nothing to whoever only looks", async () => {
  const heard = serve({ "POST /api/v1/studies/1.2.3/reading/resume": () => Response.json({ state: "queued" }) });
  const shown = show({ state: "cancelled" });
  fireEvent.click(screen.getByRole("button", { name: "Predict" }));
  await waitFor(() => expect(heard.map(({ act }) => act)).toEqual(["POST /api/v1/studies/1.2.3/reading/resume"]));
  shown.unmount();
  show({}, ["viewer"]);
  expect(screen.queryAllByRole("button")).toEqual([]);
  expect(screen.getByRole("status").textContent).toBe("No stone found");
});
