import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import { expect, it } from "vitest";

import type { Agreement } from "../../api/review";
import { furnish, inEnglish } from "../../testing/browser";
import { serve } from "../../testing/server";
import { QualityPage } from "./QualityPage";

inEnglish();

function show(rows: Agreement[]) {
  furnish();
  serve({ "GET /api/v1/quality/agreement": () => Response.json(rows) });
  render(
    <MantineProvider>
      <QueryClientProvider client={new QueryClient()}>
        <QualityPage />
      </QueryClientProvider>
    </MantineProvider>,
  );
}

it("says what there will be while nobody has signed", async () => {
  show([]);
  await screen.findByText(/No report was signed yet/);
});

it("gives shares with n and interval, and none where there was nothing to count", async () => {
  show([
    {
      institution: "LOCAL", model_hash: "9f86d081884c7d659a2feaa0c55ad015", month: "2026-11", reports: 3, findings: 4,
      accepted: 2, edited: 1, rejected: 1, added: 0,
      unchanged: { of: 4, share: 0.5, ci95: [0.15, 0.85] },
      confirmed: { of: 4, share: 0.75, ci95: [0.3006, 0.9544] },
      found: { of: 0, share: null, ci95: null },
    },
  ]);
  await screen.findByText("9f86d081884c");
  expect(screen.getByText("75.0 %")).toBeTruthy();
  expect(screen.getByText("95 % CI 30.1 % – 95.4 %, n = 4")).toBeTruthy();
  expect(screen.getByText("–")).toBeTruthy();
});
