import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { flow, type Visit } from "./harness";
import { type Pixels, readPng, writeSmallPng } from "./png";
import { withPhantom } from "./scene";
import { filesBelow } from "./studies";
import { atRest, loaded } from "./viewing";

const folder = join(process.cwd(), "e2e", "golden");

/** The room of all panes together, at the page's corner, and of what stands below each: fonts, which differ from machine to machine, would give them another one. */
const room = { width: 780, height: 288, below: 28 };

/** Mean difference (of 255), and the share of values that differ by more than an edge that is drawn half a pixel beside. */
function difference(one: Pixels, other: Pixels): { mean: number; far: number } {
  if (one.width !== other.width || one.height !== other.height) return { mean: 255, far: 1 };
  let [sum, far] = [0, 0];
  one.rgb.forEach((value, at) => {
    const apart = Math.abs(value - (other.rgb[at] ?? 0));
    sum += apart;
    if (apart > 40) far += 1;
  });
  return { mean: sum / one.rgb.length, far: far / one.rgb.length };
}

const alike = ({ mean, far }: { mean: number; far: number }) => mean <= 2 && far <= 0.005;

function shown(visit: Visit): Promise<Pixels> {
  const panes = visit.page.locator(".panes");
  return atRest(visit, "what the panes show", panes, { mask: [panes.locator(".pane-counter")], maskColor: "#000" });
}

/** What is shown is what was shown when somebody looked at it and found it right; HILUM_E2E_GOLDEN=write keeps what is shown now. */
async function golden(visit: Visit, name: string): Promise<Pixels> {
  const now = await shown(visit);
  const file = join(folder, `${name}.png`);
  if (process.env.HILUM_E2E_GOLDEN === "write") {
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, writeSmallPng(now));
  }
  if (!existsSync(file)) throw new Error(`there is no golden image ${name}: HILUM_E2E_GOLDEN=write cargo xtask e2e makes it`);
  const apart = difference(now, readPng(readFileSync(file)));
  if (!alike(apart)) {
    const { mean, far } = apart;
    throw new Error(`${name} is ${now.width} x ${now.height} and differs from its golden image by ${mean.toFixed(2)} of 255, far in ${(100 * far).toFixed(2)} %`);
  }
  return now;
}

export const flows = [
  flow("images, planes, slabs and windows look as they did when somebody last found them right", async (visit) => {
    const { page } = visit;
    await visit.signIn();
    await withPhantom(["--seed", "61010", "--studies", "1", "--stones", "1", "--thickness", "5"], async (files) => {
      await page.goto("/files");
      const chooser = page.waitForEvent("filechooser");
      await page.getByRole("button", { name: "Open files" }).click();
      await (await chooser).setFiles(filesBelow(files).filter((file) => file.endsWith(".dcm")));
      const counter = page.getByLabel("Images: image number");
      await visit.until("the images are not opened", async () => /^[1-9]\d* \//.test((await counter.textContent()) ?? ""));
      await page.getByRole("progressbar").waitFor({ state: "detached", timeout: 120_000 });
      await page.getByRole("button", { name: "Text on the images" }).click();
      const sized = () =>
        page.locator(".panes").evaluate((panes, { width, height, below }) => {
          Object.assign((panes as HTMLElement).style, { position: "fixed", inset: "0 auto auto 0", zIndex: "900", width: `${width}px`, height: `${height}px` });
          for (const counter of panes.querySelectorAll<HTMLElement>(".pane-counter")) Object.assign(counter.style, { height: `${below}px`, minHeight: "0" });
        }, room);
      await sized();
      await page.keyboard.press("r");
      const axial = await golden(visit, "stack");
      await page.getByRole("button", { name: "Images: next image" }).click();
      // A comparison that takes the neighbouring slice for this one would say nothing.
      const neighbour = difference(axial, await shown(visit));
      if (alike(neighbour)) throw new Error("the neighbouring image counts as the same");
      await page.getByRole("button", { name: "Images: previous image" }).click();
      await page.getByLabel("Window preset").selectOption("bone");
      await golden(visit, "stack-bone");
      await page.getByLabel("Window preset").selectOption("stone");
      await page.keyboard.press("x");
      await loaded(visit);
      await sized();
      await page.keyboard.press("r");
      await golden(visit, "planes");
      await page.getByLabel("Thick slab").selectOption("mip");
      await golden(visit, "planes-mip");
    });
  }),
];
