import type { Page } from "playwright-core";

import { bare, bareFrames, type Measured, quantile, type Sample, studyOf } from "./browser";

/** Frames of each plane. */
const frames = 80;
/** Layers to each side of where it begins. */
const reach = 5;

interface Scrolled {
  /** From one drawing of the plane to the next (ms). */
  times: number[];
  /** Drawings in which a finding's box was over the plane. */
  boxed: number;
  width: number;
  height: number;
}

/** A notch of the wheel in every frame, to and fro, over one of the panes. */
function scroll(page: Page, pane: number): Promise<Scrolled> {
  return page.evaluate(
    async ([which, wanted, far]) => {
      const surface = document.querySelectorAll<HTMLElement>(".pane-surface")[which];
      const canvas = surface?.querySelector("canvas");
      if (!surface || !canvas) throw new Error("no pane");
      const times: number[] = [];
      let [before, boxed, drawn] = [0, 0, 0];
      const rendered = (event: Event) => {
        if (!surface.contains(event.target as Node)) return;
        const now = performance.now();
        drawn += 1;
        // The first ones warm up.
        if (drawn > 10) {
          times.push(now - before);
          if (surface.querySelector("[data-box]")) boxed += 1;
        }
        before = now;
      };
      addEventListener("hilum-painted", rendered, true);
      for (let at = 0; times.length < wanted; at += 1) {
        if (at > 20 * wanted) throw new Error("scrolling draws nothing");
        await new Promise(requestAnimationFrame);
        const down = Math.floor((at + far) / (2 * far)) % 2 === 0;
        surface.dispatchEvent(new WheelEvent("wheel", { deltaY: down ? 100 : -100, bubbles: true, cancelable: true }));
      }
      removeEventListener("hilum-painted", rendered, true);
      return { times, boxed, width: canvas.width, height: canvas.height };
    },
    [pane, frames, reach] as const,
  );
}

async function threePlanes(page: Page, masks: boolean): Promise<Scrolled> {
  const planes: Scrolled[] = [];
  for (const pane of [0, 1, 2]) {
    planes.push(await scroll(page, pane));
    await page.waitForTimeout(300);
  }
  const boxed = planes.reduce((sum, plane) => sum + plane.boxed, 0);
  const times = planes.flatMap((plane) => plane.times);
  if (masks ? boxed < times.length / 2 : boxed > 0) throw new Error(`${boxed} of ${times.length} drawings had a mask, masks are ${masks ? "on" : "off"}`);
  return { times, boxed, width: planes[0]?.width ?? 0, height: planes[0]?.height ?? 0 };
}

const counted = (page: Page, images: number) =>
  page.waitForFunction(
    (wanted) => performance.getEntriesByType("resource").filter(({ name }) => name.includes("/frames/")).length >= wanted && document.querySelector(".viewer-body") !== null,
    images,
  );

export async function scrolling({ begin }: Measured): Promise<Sample[]> {
  const { context, page } = await begin(() => performance.setResourceTimingBufferSize(20_000));
  const { study_uid } = await studyOf(context, 300);
  await page.goto(`/studies/${study_uid}/view?layout=mpr&finding=1`);
  await counted(page, 300);
  await page.locator("[data-mask]").nth(2).waitFor({ state: "attached" });
  await page.waitForTimeout(2000);
  const masked = await threePlanes(page, true);
  await page.getByRole("button", { name: "Visible: masks and boxes" }).click();
  const plain = await threePlanes(page, false);
  await page.goto(`/studies/${study_uid}/view?layout=stack`);
  await counted(page, 300);
  await page.waitForTimeout(2000);
  const single = await scroll(page, 0);
  await page.close();
  const empty = await bare(context);
  const limits = [await bareFrames(empty, plain.width, plain.height, frames), await bareFrames(empty, single.width, single.height, frames)];
  await context.close();
  const kinds: [string, Scrolled, number[]][] = [["masked", masked, limits[0] ?? []], ["plain", plain, limits[0] ?? []], ["stack", single, limits[1] ?? []]];
  return kinds.flatMap(([name, { times }, limit]) => [
    { row: `median ${name}`, value: quantile(times, 0.5), limit: quantile(limit, 0.5) },
    { row: `p95 ${name}`, value: quantile(times, 0.95), limit: quantile(limit, 0.95) },
  ]);
}
