import { QueryClient } from "@tanstack/react-query";
import { act, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { createMemoryRouter } from "react-router";
import { beforeEach, describe, expect, it, vi } from "vitest";

import type { Role } from "../../api/access";
import { signedIn, signedOut } from "../../api/session";
import type { StudyChange, StudySummary } from "../../api/types";
import { App } from "../../app/App";
import { routes } from "../../app/routes";
import { furnish, inEnglish } from "../../testing/browser";
import { type Heard, refusal, serve, sessionOf } from "../../testing/server";

inEnglish();

const study = (number: number, more: Partial<StudySummary> = {}): StudySummary => ({
  study_uid: `1.2.${number}`, patient: { name: `Hong^Gildong${number}`, name_ideographic: null, name_phonetic: null, id: `P${number}`, sex: "M", birth_date: "" },
  study_date: "2026-11-26", study_time: "10:00:00", description: "<b>KUB</b>", accession: "", institution: "LOCAL", received_at: "2026-11-26T01:00:00Z",
  priority: "routine", workflow: "unread", body_parts: [], contrast: null, modalities: ["CT"], series_count: 1, instance_count: 1, synthetic: true,
  reading: { state: "queued", progress: 0, reason: null, stone_present: null, stone_count: null, highest_score: null }, ...more,
});

/** What the page hears of, in place of the browser's. */
class Source {
  static last: Source | null = null;
  readyState = 1;
  private listeners = new Map<string, ((event: MessageEvent) => void)[]>();
  constructor(readonly address: string) {
    Source.last = this;
    queueMicrotask(() => this.tell("open", ""));
  }
  addEventListener(kind: string, listener: (event: MessageEvent) => void) {
    this.listeners.set(kind, [...(this.listeners.get(kind) ?? []), listener]);
  }
  tell(kind: string, data: string) {
    for (const listener of this.listeners.get(kind) ?? []) listener(new MessageEvent(kind, { data }));
  }
  close() {
    this.readyState = 2;
  }
}

const changed = (row: StudySummary, more: Partial<StudyChange>) => {
  const { study_uid, modalities, series_count, instance_count, body_parts, contrast, priority, workflow, reading } = row;
  const change: StudyChange = { study_uid, modalities, series_count, instance_count, body_parts, contrast, priority, workflow, reading, at: 1, arrived: false, ...more };
  act(() => Source.last?.tell("study", JSON.stringify(change)));
};

function open(rows: StudySummary[], roles: Role[] = ["radiologist"], address = "/", next: string | null = null) {
  furnish();
  vi.stubGlobal("EventSource", Source);
  const state = { rows, down: next !== null };
  const heard = serve({
    "GET /api/v1/session": () => Response.json(sessionOf(1, "hong", roles)),
    "GET /api/v1/system": () => Response.json({ version: "0", loopback_only: true, model: null, zone: "clinical", demo: false }),
    "GET /api/v1/activity": () => Response.json({ imports: [], readings: [], queue_depth: 0 }),
    "GET /api/v1/quarantine": () => Response.json([]),
    "GET /api/v1/openid": () => Response.json([]),
    "GET /api/v1/worklist/filters": () => Response.json([]),
    "POST /api/v1/studies/search": ({ body }: Heard) => {
      if ((body as { after?: string }).after === undefined) return Response.json({ items: state.rows, next });
      return state.down ? refusal(503, "busy") : Response.json({ items: [study(9)], next: null });
    },
    "PUT /api/v1/studies/1.2.1/priority": ({ body }: Heard) => Response.json({ ...rows[0], ...(body as object) }),
  });
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const router = createMemoryRouter(routes(client), { initialEntries: [address] });
  render(<App client={client} router={router} />);
  return { state, heard, router };
}

const asked = (heard: Heard[]) => heard.filter((one) => one.act === "POST /api/v1/studies/search").map((one) => one.body as Record<string, unknown>);

describe("the worklist", () => {
  beforeEach(() => {
    signedOut();
    signedIn(sessionOf(1, "hong", ["radiologist"]));
  });

  it("asks by what its address says, shows markup as text, and says nothing of a text in its address", async () => {
    const { heard, router } = open([study(1), study(2)], ["radiologist"], "/?state=unread&priority=stat&sort=-date");
    await screen.findAllByText("<b>KUB</b>");
    expect(asked(heard)[0]).toMatchObject({ filter: { workflow: ["unread"], priority: ["stat"] }, sort: { by: "date", descending: true } });
    fireEvent.change(screen.getByLabelText("Name, patient ID or description"), { target: { value: "Hong" } });
    await waitFor(() => expect(asked(heard).at(-1)).toMatchObject({ text: "Hong" }));
    expect(router.state.location.search).not.toContain("Hong");
    fireEvent.click(screen.getByRole("button", { name: /Study date/ }));
    await waitFor(() => expect(router.state.location.search).toContain("sort=date"));
  });

  it("changes a row where it stands, and announces what is new until somebody wants to see it", async () => {
    const { state } = open([study(1), study(2)]);
    await screen.findByText("Live");
    await screen.findAllByText("<b>KUB</b>");
    const first = document.getElementById("study-1.2.1") as HTMLElement;
    changed(study(1), { priority: "stat", reading: { state: "reading", progress: 0.42, reason: null, stone_present: null, stone_count: null, highest_score: null } });
    await within(first).findByText("Reading, 42 %");
    expect(within(first).getByText("Stat")).toBeTruthy();
    // The most urgent is not the first for it: nothing jumps.
    expect([...document.querySelectorAll("[role=row][id]")].map((row) => row.id)).toEqual(["study-1.2.1", "study-1.2.2"]);
    state.rows = [study(3), study(1), study(2)];
    changed(study(3), { arrived: true });
    expect(document.getElementById("study-1.2.3")).toBeNull();
    fireEvent.click(await screen.findByRole("button", { name: "1 new study: show it" }));
    await waitFor(() => expect(document.getElementById("study-1.2.3")).not.toBeNull());
  });

  it("shows at once what comes into an empty list", async () => {
    const { state } = open([]);
    await screen.findByText("Live");
    await waitFor(() => expect(screen.queryByLabelText("Loading the studies")).toBeNull());
    state.rows = [study(3)];
    changed(study(3), { arrived: true });
    await waitFor(() => expect(document.getElementById("study-1.2.3")).not.toBeNull());
    expect(screen.queryByRole("button", { name: /new stud/ })).toBeNull();
  });

  it("asks once for rows that do not come, and again when somebody wants it", async () => {
    const { state, heard } = open([study(1)], ["radiologist"], "/", "1.2.1");
    const again = await screen.findByRole("button", { name: "Try again" });
    await new Promise((done) => setTimeout(done, 300));
    expect(asked(heard).filter(({ after }) => after !== undefined)).toHaveLength(1);
    state.down = false;
    fireEvent.click(again);
    await waitFor(() => expect(document.getElementById("study-1.2.9")).not.toBeNull());
  });

  it("is walked by keys, and Enter opens the images", async () => {
    const { router } = open([study(1), study(2)]);
    await screen.findAllByText("<b>KUB</b>");
    const rows = screen.getByRole("grid");
    fireEvent.keyDown(rows, { key: "ArrowDown" });
    await waitFor(() => expect(router.state.location.search).toContain("study=1.2.1"));
    fireEvent.keyDown(rows, { key: "ArrowDown" });
    await waitFor(() => expect(router.state.location.search).toContain("study=1.2.2"));
    await waitFor(() => expect(rows.getAttribute("aria-activedescendant")).toBe("study-1.2.2"));
    fireEvent.keyDown(rows, { key: "Enter" });
    await waitFor(() => expect(router.state.location.pathname).toBe("/studies/1.2.2/view"));
  });

  it("lets a radiologist say how urgent a study is, beside the list", async () => {
    const { heard } = open([study(1)], ["radiologist"], "/?study=1.2.1");
    const beside = await screen.findByRole("complementary", { name: "Chosen study" });
    fireEvent.click(within(beside).getByLabelText("Stat"));
    await waitFor(() => expect(heard.some((one) => one.act === "PUT /api/v1/studies/1.2.1/priority")).toBe(true));
    await within(document.getElementById("study-1.2.1") as HTMLElement).findByText("Stat");
  });

  it("says what to do where nothing is, and how to see more where nothing matches", async () => {
    open([], ["data_steward"]);
    await screen.findByText("No studies yet");
  });
});
