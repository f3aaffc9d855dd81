import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { MemoryRouter } from "react-router";
import { afterEach, expect, it, vi } from "vitest";

import { signedIn } from "../../api/session";
import type { StorageView } from "../../api/types";
import { furnish, inEnglish } from "../../testing/browser";
import { serve, sessionOf } from "../../testing/server";
import StoragePage from "./StoragePage";

inEnglish();
afterEach(() => vi.useRealTimers());

it("lets the server look through its store once, and again when somebody wants it", async () => {
  furnish();
  vi.useFakeTimers({ shouldAdvanceTime: true });
  signedIn(sessionOf(1, "hong", ["data_steward"]));
  const held: StorageView = { studies: 7, instances: 900, segment_bytes: 1e9, place: "folder", disk_bytes: 1e12, free_bytes: 6e11, quarantined: 0, last_backup_at: null };
  const heard = serve({ "GET /api/v1/operations/storage": () => Response.json(held) });
  render(
    <MantineProvider>
      <QueryClientProvider client={new QueryClient()}>
        <MemoryRouter><StoragePage /></MemoryRouter>
      </QueryClientProvider>
    </MantineProvider>,
  );
  await screen.findByText("900");
  await act(() => vi.advanceTimersByTimeAsync(10 * 60_000));
  expect(heard).toHaveLength(1);
  held.instances = 901;
  fireEvent.click(screen.getByRole("button", { name: "Look again" }));
  await screen.findByText("901");
  await waitFor(() => expect(heard).toHaveLength(2));
});
