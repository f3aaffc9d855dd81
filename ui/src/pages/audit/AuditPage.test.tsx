import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";

import type { AuditItem } from "../../api/access";
import { furnish, inEnglish } from "../../testing/browser";
import { serve } from "../../testing/server";
import { AuditPage } from "./AuditPage";
import { dayBegins } from "./words";

inEnglish();

const event = (number: number, more: Partial<AuditItem>): AuditItem => ({
  number, at: "2026-11-26T01:02:03Z", actor: { kind: "account", id: "7" }, address: "10.0.0.7", action: "view", outcome: "done",
  institution: "LOCAL", studies: [], detail: {}, ...more,
});

it("the trail is shown in words, narrowed by the server, and read on from where a page ended", async () => {
  const first = [
    event(9, { studies: ["1.2.3"], detail: { subject: "report", report: 2 } }),
    event(8, { action: "query", detail: { keys: ["00100010", "0020000D"], text: true } }),
    event(7, { actor: { kind: "peer", id: "CT1" }, action: "admit", outcome: "refused", detail: { code: "unknown_peer" } }),
  ];
  const heard = serve({
    "GET /api/v1/audit": ({ query }) =>
      Response.json(query.after ? { items: [event(1, { action: "sign_in" })], next: null } : { items: first, next: "7" }),
  });
  furnish();
  render(
    <MantineProvider>
      <QueryClientProvider client={new QueryClient()}>
        <AuditPage />
      </QueryClientProvider>
    </MantineProvider>,
  );
  const table = await screen.findByRole("table");
  const rows = () => within(table).getAllByRole("row").slice(1).map((row) => row.textContent);
  expect(rows()[0]).toMatch(/Account 710\.0\.0\.7ViewLOCALDone1\.2\.3looked at: report · report version: 2$/);
  expect(rows()[1]).toMatch(/SearchLOCALDonesearched by: Patient's Name, 0020000D · free text search$/);
  expect(rows()[2]).toMatch(/CT1Peer · 10\.0\.0\.7Caller turned awayLOCALRefusedcode: unknown_peer$/);
  fireEvent.click(screen.getByRole("button", { name: "Older entries" }));
  await waitFor(() => expect(rows().length).toBe(4));
  expect(screen.queryByRole("button", { name: "Older entries" })).toBeNull();
  fireEvent.change(screen.getByLabelText("What"), { target: { value: "delete" } });
  fireEvent.change(screen.getByLabelText("Who"), { target: { value: " CT1 " } });
  fireEvent.change(screen.getByLabelText("To"), { target: { value: "2026-11-26" } });
  await waitFor(() => expect(heard.length).toBe(3));
  expect(heard.map(({ query }) => query)).toEqual([
    { limit: "50" },
    { limit: "50", after: "7" },
    { limit: "50", action: "delete", actor: "CT1", to: dayBegins("2026-11-27") },
  ]);
});
