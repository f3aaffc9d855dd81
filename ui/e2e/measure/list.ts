import type { BrowserContext, Page } from "playwright-core";

import { type Asked, asked, bare, emptyFrames, fetchAll, type Measured, quantile, type Sample } from "./browser";

/** What the list waits after a key, so that it asks once for a word: useDebouncedValue in ui/src/pages/studies/StudiesPage.tsx. */
const pause = 200;
/** Page-downs of one run. */
const pages = 20;

interface Noted {
  start: number;
  /** Which rows stand at the top: the first alone may be the same in two lists. */
  top: () => string;
}

type Watched = Window & { hilumNoted: Noted };

function watch() {
  performance.setResourceTimingBufferSize(20_000);
  const top = () => [...document.querySelectorAll('.grid [role="row"][id^="study-"]')].slice(0, 5).map(({ id }) => id).join();
  const noted: Noted = { start: 0, top };
  Object.assign(window, { hilumNoted: noted });
  for (const kind of ["input", "click"]) addEventListener(kind, (event) => (noted.start = event.timeStamp), true);
}

const firstRow = '.grid [role="row"][id^="study-"]';

const top = (page: Page) => page.evaluate(() => (window as unknown as Watched).hilumNoted.top());

/** Milliseconds from the last key or click until other rows stand in the list, and what was asked for them. */
async function changed(page: Page, act: () => Promise<void>): Promise<[number, Asked]> {
  const before = await top(page);
  const request = page.waitForRequest((one) => one.url().endsWith("/studies/search"));
  await act();
  const done = await page.waitForFunction(
    (old) => {
      const now = (window as unknown as Watched).hilumNoted.top();
      return now !== "" && now !== old && performance.now();
    },
    before,
    { polling: "raf" },
  );
  const [end, start] = [Number(await done.jsonValue()), await page.evaluate(() => (window as unknown as Watched).hilumNoted.start)];
  const sent = await request;
  return [end - start, { path: new URL(sent.url()).pathname, accept: "application/json", body: sent.postData() ?? "{}" }];
}

/** Milliseconds of each of some page-downs, until rows stand where one looks; what has not come yet is waited for. */
function scrollPages(page: Page, count: number): Promise<number[]> {
  return page.evaluate(
    async ([row, wanted]) => {
      const box = document.querySelector<HTMLElement>(".grid-scroll");
      if (!box) throw new Error("no list");
      const { top, height } = box.getBoundingClientRect();
      const times: number[] = [];
      for (let at = 0; at < wanted; at += 1) {
        await new Promise(requestAnimationFrame);
        const start = performance.now();
        box.scrollTop += height - 104;
        // Rows above, in the middle and below.
        const places = [0.2, 0.5, 0.95].map((share) => top + share * height);
        const covered = () => {
          const rows = [...document.querySelectorAll(row)].map((one) => one.getBoundingClientRect());
          return places.every((y) => rows.some((one) => one.top <= y && one.bottom >= y));
        };
        do await new Promise(requestAnimationFrame);
        while (!covered() && performance.now() - start < 30_000);
        times.push(performance.now() - start);
      }
      return times;
    },
    [firstRow, count] as const,
  );
}

async function opened(begin: Measured["begin"]): Promise<[BrowserContext, Page, Sample]> {
  const { context, page } = await begin(watch);
  let search: Asked | null = null;
  page.on("request", (one) => {
    if (one.url().endsWith("/studies/search")) search ??= { path: new URL(one.url()).pathname, accept: "application/json", body: one.postData() ?? "{}" };
  });
  await page.goto("/", { waitUntil: "commit" });
  const rows = await page.waitForFunction((row) => document.querySelector(row) !== null && performance.now(), firstRow, { polling: "raf" });
  const value = Number(await rows.jsonValue());
  const paths = await page.evaluate((end) => {
    const entries = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")] as PerformanceResourceTiming[];
    return entries.filter(({ responseEnd, transferSize }) => responseEnd > 0 && responseEnd <= end && transferSize > 0).map(({ name }) => new URL(name).pathname + new URL(name).search);
  }, value);
  if (search === null) throw new Error("the list asked for nothing");
  const got = paths.filter((path) => !path.startsWith("/api/v1/events") && !path.endsWith("/search")).map(asked);
  const empty = await bare(context);
  const limit = await fetchAll(empty, [...got, search]);
  await empty.close();
  await page.bringToFront();
  await page.waitForLoadState("networkidle").catch(() => undefined);
  return [context, page, { row: "rows", value, limit }];
}

/** The list as people use it: opened, searched, sorted, scrolled. */
export async function list({ begin }: Measured): Promise<Sample[]> {
  const [context, page, rows] = await opened(begin);
  const field = page.getByLabel("Name, patient ID or description");
  await page.waitForTimeout(1000);
  const first = await top(page);
  const asks: [string, number, Asked, number][] = [];
  for (const text of ["kim", "길동", "P00000777"]) {
    await field.focus();
    const [ms, question] = await changed(page, () => page.keyboard.type(text));
    asks.push([`typed ${text}`, ms, question, pause]);
    // Kept by the page since the list was opened: nothing is asked for.
    await field.fill("");
    await page.waitForFunction((old) => (window as unknown as Watched).hilumNoted.top() === old, first);
    await page.waitForTimeout(500);
  }
  for (const [name, heading] of [["name", "Patient"], ["date", "Study date"]] as const) {
    const [ms, question] = await changed(page, () => page.getByRole("button", { name: heading, exact: true }).click());
    asks.push([`sorted ${name}`, ms, question, 0]);
    await page.waitForTimeout(500);
  }
  const times = await scrollPages(page, pages);
  await page.close();
  const empty = await bare(context);
  const samples = [rows];
  for (const [row, value, question, least] of asks) samples.push({ row, value, limit: least + (await fetchAll(empty, [question])) });
  const frames = await emptyFrames(empty, 60);
  samples.push({ row: "page median", value: quantile(times, 0.5), limit: quantile(frames, 0.5) });
  samples.push({ row: "page slowest", value: Math.max(...times), limit: Math.max(...frames) });
  await context.close();
  return samples;
}
