import type { Locator, PageScreenshotOptions } from "playwright-core";

import type { Visit } from "./harness";
import { type Pixels, readPng } from "./png";

/** Waits until all images of the volume are there, in three planes. */
export async function loaded(visit: Visit) {
  const { page } = visit;
  await page.waitForFunction(() => {
    const counters = [...document.querySelectorAll("output")].map((output) => output.textContent ?? "");
    return counters.length >= 3 && counters.every((text) => !text.trim().startsWith("0"));
  });
  await page.getByRole("progressbar", { name: visit.says("장 불러옴", "images loaded") }).waitFor({ state: "detached", timeout: 120_000 });
}

/** Makes the finding that was jumped to, the first one, larger with the brush, where it is drawn first. */
export async function brushTheFirstFinding(visit: Visit) {
  const { page } = visit;
  await page.getByRole("button", { name: visit.says("붓", "Brush"), exact: true }).click();
  // While images come the drawing over them is made anew.
  let mask = null as { x: number; y: number; width: number; height: number } | null;
  await visit.until("the first finding is not drawn", async () => {
    mask = await page.locator('[data-mask="1"]').first().boundingBox({ timeout: 1000 });
    return mask !== null;
  });
  if (!mask) throw new Error("the first finding is not drawn");
  const [x, y] = [mask.x + mask.width / 2, mask.y + mask.height / 2];
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + 18, y + 6, { steps: 2 });
  await page.mouse.up();
}

/** A picture of a part of the page once it does not change any more. */
export async function atRest(visit: Visit, what: string, part: Locator, options: Pick<PageScreenshotOptions, "mask" | "maskColor"> = {}): Promise<Pixels> {
  let before = "";
  await visit.until(`${what} does not come to rest`, async () => {
    const now = (await part.screenshot(options)).toString("base64");
    const same = now === before;
    before = now;
    return same;
  });
  return readPng(Buffer.from(before, "base64"));
}
