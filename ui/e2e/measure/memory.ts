import { readFileSync } from "node:fs";

import type { Browser, Page } from "playwright-core";

import { asked, bare, fetchAll, type Listed, listed, type Measured, measured, type Sample } from "./browser";

interface Processes {
  processInfo: { id: number; type: string }[];
}

/** Memory of all processes of a browser, MiB: what they share is counted once (PSS). */
async function memoryOf(browser: Browser): Promise<number> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = (await session.send("SystemInfo.getProcessInfo")) as Processes;
  await session.detach();
  let kib = 0;
  for (const { id } of processInfo) {
    try {
      kib += Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${id}/smaps_rollup`, "utf8"))?.[1] ?? NaN);
    } catch (error) {
      // It ended meanwhile.
      if (!["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    }
  }
  return kib / 1024;
}

/** What the script of a page holds in buffers, as images are, MiB. */
async function buffersOf(page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page);
  const { backingStorageSize } = (await session.send("Runtime.getHeapUsage")) as { backingStorageSize?: number };
  await session.detach();
  if (backingStorageSize === undefined) throw new Error("this browser does not tell what its buffers hold");
  return backingStorageSize / 1024 ** 2;
}

/** The largest of what was seen twice a second while something was done. */
async function peakDuring(seen: () => Promise<number[]>, act: () => Promise<unknown>): Promise<number[]> {
  let [most, over] = [await seen(), false];
  const look = async () => {
    const now = await seen();
    most = most.map((value, at) => Math.max(value, now[at] ?? 0));
  };
  const watching = (async () => {
    while (!over) {
      await new Promise((done) => setTimeout(done, 500));
      await look();
    }
  })();
  try {
    await act();
  } finally {
    over = true;
    await watching;
  }
  return most;
}

async function atRest(page: Page, browser: Browser): Promise<number> {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.collectGarbage");
  await page.waitForTimeout(2000);
  await session.send("HeapProfiler.collectGarbage");
  await session.detach();
  return memoryOf(browser);
}

const largest = (studies: Listed[]): Listed => {
  const [first] = [...studies].sort((a, b) => b.instance_count - a.instance_count);
  if (!first) throw new Error("no study");
  return first;
};

/** A notch of the wheel in every frame, from the first image to the last; the images come as they do. */
async function scrollThrough(page: Page, images: number) {
  await page.evaluate(async (wanted) => {
    const surface = document.querySelector(".pane-surface");
    for (let at = 1; at < wanted; at += 1) {
      await new Promise(requestAnimationFrame);
      surface?.dispatchEvent(new WheelEvent("wheel", { deltaY: 100, bubbles: true, cancelable: true }));
    }
  }, images);
  await page.waitForFunction(
    (last) => {
      const canvas = document.querySelector<HTMLCanvasElement>(".pane-surface canvas");
      const middle = canvas?.getContext("2d")?.getImageData(canvas.width / 2 - 100, canvas.height / 2 - 100, 200, 200).data;
      return document.querySelector("output")?.textContent?.trim() === last && middle?.some((value, at) => at % 4 === 0 && value > 60);
    },
    `${images} / ${images}`,
    { polling: 200 },
  );
}

/** Of a browser of its own: what it takes beyond the list, for a series that is scrolled through from one end to the other. */
export async function memory(): Promise<Sample[]> {
  const looked = await measured();
  const { context, page } = await looked.begin();
  const study = largest(await listed(context));
  await page.goto("/");
  const row = page.locator(`[id="study-${study.study_uid}"]`);
  await row.waitFor();
  const before = await atRest(page, looked.browser);
  const paths: string[] = [];
  page.on("request", (request) => {
    if (request.url().includes("/metadata")) paths.push(new URL(request.url()).pathname);
  });
  const seen = async () => [await memoryOf(looked.browser), await buffersOf(page)];
  const [most = NaN, buffers = NaN] = await peakDuring(seen, async () => {
    await page.goto(`/studies/${study.study_uid}/view?layout=stack&image=1`);
    const counted = await page.waitForFunction(() => /^1 \/ (\d+)$/.exec(document.querySelector("output")?.textContent?.trim() ?? "")?.[1]);
    await scrollThrough(page, Number(await counted.jsonValue()));
  });
  await page.getByRole("link", { name: "Studies" }).or(page.getByRole("link", { name: "Worklist" })).first().click();
  await row.waitFor();
  const after = await atRest(page, looked.browser);
  const buffersLeft = await buffersOf(page);
  const [metadata] = paths;
  if (metadata === undefined) throw new Error("the series was not asked for");
  await looked.end();

  const holding = await measured();
  const everything = await holdingEverything(holding, metadata);
  await holding.end();
  return [
    { row: "scrolled", value: most - before, limit: everything },
    { row: "left", value: after - before },
    { row: "buffers", value: buffers },
    { row: "buffers left", value: buffersLeft },
  ];
}

/** Of a browser of its own: an empty page that fetches the series and holds it. */
async function holdingEverything({ browser, begin }: Measured, metadata: string): Promise<number> {
  const { context } = await begin();
  const page = await bare(context);
  const instances = (await (await context.request.get(metadata, { headers: { Accept: "application/dicom+json" } })).json()) as Record<string, { Value?: unknown[] }>[];
  const series = metadata.replace(/\/metadata$/, "");
  const frames = instances.map((instance) => `${series}/instances/${String(instance["00080018"]?.Value?.[0])}/frames/1`);
  const before = await atRest(page, browser);
  const [most = NaN] = await peakDuring(async () => [await memoryOf(browser)], () => fetchAll(page, frames.map(asked), true));
  return most - before;
}
