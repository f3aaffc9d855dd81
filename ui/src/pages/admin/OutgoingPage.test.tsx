import { MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import type { ReactNode } from "react";
import { MemoryRouter } from "react-router";
import { expect, it } from "vitest";

import { signedIn } from "../../api/session";
import type { DeliveryView, ForwardView } from "../../api/types";
import { furnish, inEnglish } from "../../testing/browser";
import { serve, sessionOf } from "../../testing/server";
import DeliveriesPage from "./DeliveriesPage";
import ForwardsPage from "./ForwardsPage";

inEnglish();

function show(page: ReactNode, address = "/") {
  furnish();
  signedIn(sessionOf(1, "hong", ["data_steward", "radiologist"]));
  render(
    <MantineProvider>
      <Notifications />
      <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
        <MemoryRouter initialEntries={[address]}>{page}</MemoryRouter>
      </QueryClientProvider>
    </MantineProvider>,
  );
}

const delivery = (id: number, more: Partial<DeliveryView> = {}): DeliveryView => ({
  id, study_uid: "1.2.3", version: 2, destination: "ocs", control_id: `HILUM${id}`, state: "waiting", tries: 3,
  next_try_at: "2026-11-26T01:02:03Z", reason: null, updated_at: "2026-11-26T01:00:00Z", ...more,
});
const deliveries = "GET /api/v1/operations/deliveries";

it("lists deliveries with their reasons, each with the version of the report that it tells, page after page", async () => {
  const heard = serve({
    [deliveries]: ({ query }) =>
      Response.json(
        query.after === "c1"
          ? { items: [delivery(2, { destination: "emr", state: "superseded", version: 1 })], next: null }
          : { items: [delivery(1, { reason: "AE 207" })], next: "c1" },
      ),
  });
  show(<DeliveriesPage />);
  const row = (await screen.findByText("HILUM1")).closest("tr")!;
  for (const text of ["ocs", "Waiting", "3", "AE 207"]) within(row).getByText(text);
  expect(within(row).getByRole("link").getAttribute("href")).toBe("/studies/1.2.3?version=2");
  fireEvent.click(screen.getByRole("button", { name: "Show more" }));
  const next = (await screen.findByText("HILUM2")).closest("tr")!;
  within(next).getByText("Superseded");
  expect(heard[0]?.query).toEqual({});
});

it("asks for one state, and for one medical record and no other again", async () => {
  const heard = serve({ [deliveries]: ({ query }) => Response.json({ items: query.destination === "emr" ? [] : [delivery(1)], next: null }) });
  show(<DeliveriesPage />, "/?state=waiting");
  fireEvent.click(await screen.findByRole("button", { name: "ocs" }));
  await waitFor(() => expect(heard.at(-1)?.query).toEqual({ state: "waiting", destination: "ocs" }));
  fireEvent.click(screen.getByLabelText("Delivered"));
  await waitFor(() => expect(heard.at(-1)?.query).toEqual({ state: "delivered", destination: "ocs" }));
  fireEvent.click(screen.getByRole("button", { name: /^Only to ocs/ }));
  await waitFor(() => expect(heard.at(-1)?.query).toEqual({ state: "delivered" }));
});

it("says where nothing is delivered why, and where to read on; and only that there is none where one state was asked for", async () => {
  serve({ [deliveries]: () => Response.json({ items: [], next: null }) });
  show(<DeliveriesPage />);
  await screen.findByText(/no medical record is configured/);
  expect(screen.getByRole("link", { name: "How medical records are connected" }).getAttribute("href")).toBe("/help/administration");
  fireEvent.click(screen.getByLabelText("Superseded"));
  await screen.findByText("There is none like this.");
});

it("makes what waits due, and looks again", async () => {
  let tries = 3;
  serve({
    [deliveries]: () => Response.json({ items: [delivery(1, { tries })], next: null }),
    "POST /api/v1/operations/deliveries/retry": () => {
      tries = 4;
      return Response.json({ due: 1 });
    },
  });
  show(<DeliveriesPage />);
  await screen.findByText("HILUM1");
  fireEvent.click(screen.getByRole("button", { name: "Try all again now" }));
  await screen.findByText("1 delivery is due now");
  await screen.findByText("4");
});

it("lists forwards in the same manner", async () => {
  const forward: ForwardView = {
    id: 1, peer: "PACS", sop_uid: "1.2.3.4", study_uid: "1.2.3", state: "failed", tries: 9, next_try_at: "2026-11-26T01:02:03Z",
    reason: "refused", updated_at: "2026-11-26T01:00:00Z",
  };
  const heard = serve({
    "GET /api/v1/operations/forwards": () => Response.json({ items: [forward], next: null }),
    "POST /api/v1/operations/forwards/retry": () => Response.json({ due: 2 }),
  });
  show(<ForwardsPage />, "/?state=failed");
  const row = (await screen.findByText("PACS")).closest("tr")!;
  within(row).getByText("Given up");
  expect(within(row).getByRole("link").getAttribute("href")).toBe("/studies/1.2.3");
  expect(heard[0]?.query).toEqual({ state: "failed" });
  fireEvent.click(screen.getByRole("button", { name: "Try all again now" }));
  await screen.findByText("2 forwards are due now");
});
