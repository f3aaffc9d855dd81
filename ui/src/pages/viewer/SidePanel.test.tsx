import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, fireEvent, render, screen } from "@testing-library/react";
import { createMemoryRouter, RouterProvider } from "react-router";
import { expect, it } from "vitest";

import type { Review } from "../../api/review";
import { signedIn } from "../../api/session";
import type { UrinaryStoneReport } from "../../api/types";
import { furnish, inEnglish } from "../../testing/browser";
import { serve, sessionOf } from "../../testing/server";
import type { Viewer } from "../../viewer/Viewer";
import { SidePanel } from "./SidePanel";

inEnglish();

it("keeps a conclusion that is being written while other tabs are looked at, and asks before it is left from there", async () => {
  furnish();
  signedIn(sessionOf(1, "kim", ["radiologist"]));
  const review: Review = { version: 1, state: "unsigned", open: true, revision: 0, findings: [], conclusion: { en: "", ko: "" } };
  serve({
    "GET /api/v1/studies/1.2.3/report/versions": () => Response.json([]),
    "GET /api/v1/studies/1.2.3/report/versions/1/review": () => Response.json(review),
    "GET /api/v1/quick-texts": () => Response.json([]),
  });
  const state = { series: null, stones: [] };
  const viewer = { subscribe: () => () => undefined, state: () => state } as unknown as Viewer;
  const report = { version: 1, stones: [] as unknown } as UrinaryStoneReport;
  const nothing = () => undefined;
  const panel = (
    <SidePanel
      viewer={viewer} studyUid="1.2.3" report={report} measurements={[]} busy={false}
      onShowFinding={nothing} onRemoveMeasurement={nothing} onCorrect={nothing}
    />
  );
  const router = createMemoryRouter([{ path: "/view", element: panel }, { path: "/", element: <p>The list</p> }], { initialEntries: ["/view"] });
  render(
    <MantineProvider>
      <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>,
  );
  const open = (name: string) => fireEvent.click(screen.getByRole("tab", { name }));
  open("Report");
  fireEvent.change(await screen.findByRole("textbox", { name: "Conclusion" }), { target: { value: "A stone." } });
  open("Measurements");
  await screen.findByText(/Nothing has been measured yet/);
  await act(() => router.navigate("/"));
  fireEvent.click(await screen.findByRole("button", { name: "Stay here" }));
  open("Report");
  expect((await screen.findByRole<HTMLTextAreaElement>("textbox", { name: "Conclusion" })).value).toBe("A stone.");
});
