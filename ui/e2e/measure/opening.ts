import type { Page } from "playwright-core";

import { asked, bare, fetchAll, type Measured, type Sample, studyOf } from "./browser";

/** What a page notes of itself while a study opens (ms from its start, or from the double click in the list). */
interface Noted {
  start: number;
  first: number;
  frames: number;
}

/** Runs in the page before anything else. */
function watch() {
  performance.setResourceTimingBufferSize(20_000);
  const noted: Noted = { start: 0, first: 0, frames: 0 };
  Object.assign(window, { hilumNoted: noted });
  addEventListener("dblclick", (event) => Object.assign(noted, { start: event.timeStamp, first: 0, frames: 0 }), true);
  new PerformanceObserver((list) => {
    noted.frames += list.getEntries().filter(({ name }) => name.includes("/frames/")).length;
  }).observe({ type: "resource", buffered: true });
  const seen = (event: Event) => {
    if (noted.first > 0) return;
    const canvas = (event.target as HTMLElement).querySelector("canvas");
    const [width, height] = [canvas?.width ?? 0, canvas?.height ?? 0];
    const side = Math.floor(Math.min(width, height) / 3);
    const pixels = side > 0 && canvas?.getContext("2d")?.getImageData((width - side) / 2, (height - side) / 2, side, side).data;
    if (!pixels) return;
    let bright = 0;
    for (let at = 0; at < pixels.length; at += 4) if ((pixels[at] ?? 0) > 60) bright += 1;
    // Shown as soon as the frame that it was drawn in is over.
    if (bright > pixels.length / 40 && noted.first === 0) requestAnimationFrame(() => (noted.first ||= performance.now()));
  };
  addEventListener("hilum-painted", seen, true);
}

const notedOf = (page: Page) => page.evaluate(() => (window as unknown as { hilumNoted: Noted }).hilumNoted);

async function firstImage(page: Page): Promise<number> {
  await page.waitForFunction(() => (window as unknown as { hilumNoted: Noted }).hilumNoted.first > 0, undefined, { polling: "raf" });
  const { start, first } = await notedOf(page);
  return first - start;
}

/** All images are there and the bar that told of their coming is gone. */
async function allImages(page: Page, images: number): Promise<number> {
  const done = await page.waitForFunction(
    (wanted) => {
      const { frames, first } = (window as unknown as { hilumNoted: Noted }).hilumNoted;
      return first > 0 && frames >= wanted && document.querySelector(".viewer [role=progressbar], .viewer-body [role=progressbar]") === null && performance.now();
    },
    images,
    { polling: "raf" },
  );
  return Number(await done.jsonValue()) - (await notedOf(page)).start;
}

/** What came over the network from the start to a moment (ms from the start), but for what stays open or is asked by POST. */
function fetched(page: Page, until: number) {
  return page.evaluate((end) => {
    const { start } = (window as unknown as { hilumNoted: Noted }).hilumNoted;
    const entries = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")] as PerformanceResourceTiming[];
    return entries
      .filter(({ startTime, responseEnd, transferSize }) => startTime >= start && responseEnd > 0 && responseEnd <= start + end && transferSize > 0)
      .map(({ name }) => new URL(name).pathname + new URL(name).search)
      .filter((path) => !path.startsWith("/api/v1/events") && !path.endsWith("/search"));
  }, until);
}

export async function opening({ begin }: Measured): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (const images of [100, 300]) {
    for (const layout of ["stack", "mpr"]) {
      const { context, page } = await begin(watch);
      const { study_uid } = await studyOf(context, images);
      await page.goto(`/studies/${study_uid}/view?layout=${layout}`, { waitUntil: "commit" });
      const first = await firstImage(page);
      const all = await allImages(page, images);
      const until = [await fetched(page, first), await fetched(page, all)];
      await page.close();
      const limits: number[] = [];
      const empty = await bare(context);
      for (const paths of until) limits.push(await fetchAll(empty, paths.map(asked)));
      samples.push({ row: `first ${layout} ${images}`, value: first, limit: limits[0] ?? NaN });
      samples.push({ row: `all ${layout} ${images}`, value: all, limit: limits[1] ?? NaN });
      await context.close();
    }
  }
  samples.push(...(await fromTheList(begin)));
  return samples;
}

/** The second study that somebody opens: what the viewer is made of is there, the study is not. */
async function fromTheList(begin: Measured["begin"]): Promise<Sample[]> {
  const { context, page } = await begin(watch);
  const [before, wanted] = [await studyOf(context, 100), await studyOf(context, 300)];
  await page.goto("/");
  await page.locator(`[id="study-${before.study_uid}"]`).dblclick();
  await firstImage(page);
  await page.waitForLoadState("networkidle");
  await page.goBack();
  const row = page.locator(`[id="study-${wanted.study_uid}"]`);
  await row.waitFor();
  await page.waitForTimeout(1000);
  await row.dblclick();
  const first = await firstImage(page);
  const paths = await fetched(page, first);
  await page.close();
  const limit = await fetchAll(await bare(context), paths.map(asked));
  await context.close();
  return [{ row: "first list 300", value: first, limit }];
}
