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
