import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";

import type { GuidelineOptions, UrinaryStoneReport, WeighedRule } from "../../api/types";
import { furnish, inEnglish } from "../../testing/browser";
import { refusal, serve } from "../../testing/server";
import { OptionsCard } from "./OptionsCard";

inEnglish();

const removal: WeighedRule = {
  guideline: "eau-2020", verdict: "applies", used: ["place", "diameter_mm"], missing: [],
  rule: { id: "ureter-from-10-mm", topic: "removal", options: [["urs"], ["swl"]], against: ["pcnl"], when: {} },
};
const waiting: WeighedRule = {
  guideline: "aua-endourology-2016", verdict: "not_determined", used: ["place"], missing: ["infection"],
  rule: { id: "wait", topic: "observation", options: [["observation"]], reconsider_weeks: [4, 6], when: {} },
};
const source = (id: string) => ({ id, version: 1, title: "Guide", edition: "2020", citation: `An article of ${id}`, values_from: "elsewhere" });
const options = (rules: WeighedRule[]): GuidelineOptions => ({
  sources: [source("eau-2020"), source("aua-endourology-2016"), source("coll"), source("never-used")],
  stones: [{ stone: 1, known: { place: "ureter", diameter_mm: 11.25 }, rules, passage: [{ source: "coll", percent: 25, range: [10, 40] }] }],
  missing: ["infection"],
});
const report = {
  version: 3,
  options: options([removal, waiting]),
  disclaimers: [{ code: "options_are_no_order", en: "No order.", ko: "지시가 아닙니다." }, { code: "another", en: "Another note.", ko: "" }],
} as UrinaryStoneReport;

const kidney = {
  side: "left" as const, stones: [1], known: { stones: 1, area_mm2: 120 },
  scores: [{
    score: "stone", points: [5, 8] as [number, number], scale: [5, 13] as [number, number], items: [{ item: "size", points: [1, 1] as [number, number] }],
    used: ["area_mm2" as const], missing: ["moderate_hydronephrosis" as const], stone_free_percent: [83, 94] as [number, number],
  }],
};

const shown = (report: UrinaryStoneReport) =>
  render(
    <MantineProvider>
      <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
        <OptionsCard studyUid="1.2.3" report={report} />
      </QueryClientProvider>
    </MantineProvider>,
  );

it("options stand with what they follow from, what is missing, chances and sources, and are called no order", () => {
  serve({});
  furnish();
  shown(report);
  const stone = screen.getByRole("region", { name: "Stone 1" });
  const row = within(stone).getAllByRole("row")[1];
  expect(row?.textContent).toBe("eau-2020Removalureteroscopy (URS); then shock wave lithotripsy (SWL); not: percutaneous nephrolithotomy (PCNL)ureter, 11.3 mm");
  expect(stone.textContent).toContain("Passed by themselves: 25 % (10–40) coll");
  expect(within(stone).getByText(/1 rule would apply/)).toBeTruthy();
  expect(screen.getByText("No order.")).toBeTruthy();
  expect(screen.getByText(/An article of eau-2020/)).toBeTruthy();
  expect(screen.queryByText(/never-used/)).toBeNull();
});

it("what is told of the patient is weighed by the server at once, and taken back when it is not known", async () => {
  const heard = serve({ "GET /api/v1/studies/1.2.3/report/options": () => Response.json(options([{ ...waiting, verdict: "applies", used: ["infection"], missing: [] }])) });
  furnish();
  shown(report);
  const fact = screen.getByRole("radiogroup", { name: "infection" });
  fireEvent.click(within(fact).getByRole("radio", { name: "No" }));
  await waitFor(() => expect(heard.map(({ query }) => query)).toEqual([{}, { infection: "false" }]));
  await waitFor(() => expect(screen.queryByText(/1 rule would apply/)).toBeNull());
  expect(screen.getByText("observation; reconsider at 4 to 6 weeks")).toBeTruthy();
  fireEvent.click(within(fact).getByRole("radio", { name: "Not known" }));
  await waitFor(() => expect(screen.getByText(/1 rule would apply/)).toBeTruthy());
  // What records tell is asked for anew.
  await waitFor(() => expect(heard.map(({ query }) => query)).toEqual([{}, { infection: "false" }, {}]));
});

it("what a medical record told since the report is weighed and shown with its source, and goes when the physician says otherwise", async () => {
  const recorded = [{ input: "infection" as const, holds: true, system: "LN", code: "5802-4", source: "his", observed_at: "2026-11-25T08:30:00Z" }];
  const weighed: WeighedRule[] = [{ ...waiting, verdict: "applies", used: ["infection"], missing: [] }];
  serve({
    "GET /api/v1/studies/1.2.3/report/options": ({ query }) =>
      Response.json(query["infection"] === undefined ? { ...options(weighed), recorded } : options([removal, waiting])),
  });
  furnish();
  shown(report);
  const told = await screen.findByRole("region", { name: "From the medical record" });
  expect(told.textContent).toContain("infection: Yes his · LN 5802-4 · 2026-11-25");
  expect(screen.getByText("observation; reconsider at 4 to 6 weeks")).toBeTruthy();
  fireEvent.click(within(screen.getByRole("radiogroup", { name: "infection" })).getByRole("radio", { name: "No" }));
  await waitFor(() => expect(screen.queryByRole("region", { name: "From the medical record" })).toBeNull());
});

it("where they cannot be weighed again, those of the report stay and the page says so", async () => {
  serve({ "GET /api/v1/studies/1.2.3/report/options": () => refusal(500, "internal") });
  furnish();
  shown(report);
  fireEvent.click(within(screen.getByRole("radiogroup", { name: "pregnancy" })).getByRole("radio", { name: "Yes" }));
  expect(await screen.findByText(/could not be weighed again/)).toBeTruthy();
  expect(screen.getByText(/1 rule would apply/)).toBeTruthy();
});

it("a kidney's score stands with its scale, its items and what would narrow it down; no kidney with stones, no score", async () => {
  const of = options([removal, waiting]);
  const scored = { ...report, options: { ...of, sources: [...of.sources, { ...source("stone"), title: "S.T.O.N.E." }], kidneys: [kidney] } };
  const heard = serve({ "GET /api/v1/studies/1.2.3/report/options": () => Response.json(scored.options) });
  furnish();
  shown(scored);
  const left = screen.getByRole("region", { name: "Left kidney (stones 1)" });
  expect(within(left).getAllByRole("row")[1]?.textContent).toBe("S.T.O.N.E.5–8 of 5–13size 183–94 %moderate or severe hydronephrosis");
  expect(screen.getByText(/An article of stone/)).toBeTruthy();
  fireEvent.click(within(screen.getByRole("radiogroup", { name: "complete staghorn" })).getByRole("radio", { name: "Yes" }));
  await waitFor(() => expect(heard.map(({ query }) => query)).toEqual([{}, { staghorn: "true" }]));
});

it("where no kidney has stones nothing is asked of kidneys", () => {
  serve({});
  furnish();
  shown(report);
  expect(screen.queryByText(/Scores before percutaneous/)).toBeNull();
  expect(screen.queryByRole("radiogroup", { name: "complete staghorn" })).toBeNull();
});
