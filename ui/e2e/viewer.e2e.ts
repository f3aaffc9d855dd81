import { readFileSync } from "node:fs";
import { join } from "node:path";

import { flow, type Visit } from "./harness";
import { isGreen, isRed, type Pixels, readPng, where } from "./png";
import { withPhantom } from "./scene";
import { filesBelow, stow, studies, type Study, withStones } from "./studies";
import { atRest, loaded } from "./viewing";

const planes = { axial: ["축상면", "Axial"], coronal: ["관상면", "Coronal"], sagittal: ["시상면", "Sagittal"] } as const;
type Plane = keyof typeof planes;
const three = Object.keys(planes) as Plane[];

const surface = (visit: Visit, name: string) => visit.page.getByRole("group", { name: new RegExp(`^${name},`) });
const paneOf = (visit: Visit, plane: Plane) => surface(visit, visit.says(planes[plane][0], planes[plane][1]));

/** A picture of each plane once it does not change any more. */
async function settled(visit: Visit): Promise<Record<Plane, Pixels>> {
  const shown = {} as Record<Plane, Pixels>;
  for (const plane of three) shown[plane] = await atRest(visit, `the ${plane} plane`, paneOf(visit, plane));
  return shown;
}

/** Red in the middle of a green box in all three planes, and without both something bright where the red was: a stone. */
async function marked(visit: Visit, finding: number) {
  const { page } = visit;
  await visit.until("no mask is drawn in three planes", async () => (await page.locator(`[data-mask="${finding}"]`).count()) === 3);
  const on = await settled(visit);
  const toggle = page.getByRole("button", { name: visit.says("표시: 마스크와 상자", "Visible: masks and boxes") });
  await toggle.click();
  const off = await settled(visit);
  await toggle.click();
  for (const plane of three) {
    const [red, green] = [where(on[plane], isRed), where(on[plane], isGreen)];
    if (red.count < 4) throw new Error(`finding ${finding}: ${red.count} red pixels in the ${plane} plane`);
    if (green.count < 20) throw new Error(`finding ${finding}: ${green.count} green pixels in the ${plane} plane`);
    if (!(green.left < red.left && green.top < red.top && green.right > red.right && green.bottom > red.bottom)) {
      throw new Error(`finding ${finding}: the box is not around the mask in the ${plane} plane: ${JSON.stringify({ red, green })}`);
    }
    const left = where(off[plane], (r, g, b) => isRed(r, g, b) || isGreen(r, g, b));
    if (left.count > 0) throw new Error(`finding ${finding}: ${left.count} coloured pixels are left in the ${plane} plane`);
    // A window of 400/60 shows 260 HU and more as white.
    const under: Pixels = crop(off[plane], red);
    const bright = where(under, (r, g, b) => r > 200 && g > 200 && b > 200);
    if (bright.count === 0) throw new Error(`finding ${finding}: nothing bright lies under the mask in the ${plane} plane`);
  }
}

function crop({ width, rgb }: Pixels, { left, top, right, bottom }: { left: number; top: number; right: number; bottom: number }): Pixels {
  const [columns, rows] = [right - left + 1, bottom - top + 1];
  const part = new Uint8Array(columns * rows * 3);
  for (let y = 0; y < rows; y += 1) part.set(rgb.subarray(((top + y) * width + left) * 3, ((top + y) * width + left + columns) * 3), y * columns * 3);
  return { width: columns, height: rows, rgb: part };
}

interface LabelMap {
  origin_mm: number[];
  step_mm: number[][];
  stones: { number: number; runs: [number, number, number, number][] }[];
}

/** Middles of the stones' voxels in patient coordinates. */
function middles({ origin_mm, step_mm, stones }: LabelMap): { number: number; centre: number[] }[] {
  return stones.map(({ number, runs }) => {
    let count = 0;
    const sum = [0, 0, 0];
    for (const [z, y, first, length] of runs) {
      for (let x = first; x < first + length; x += 1) {
        count += 1;
        for (let axis = 0; axis < 3; axis += 1) {
          sum[axis] = (sum[axis] ?? 0) + [x, y, z].reduce((at, index, along) => at + index * (step_mm[along]?.[axis] ?? NaN), origin_mm[axis] ?? NaN);
        }
      }
    }
    return { number, centre: sum.map((part) => part / count) };
  });
}

async function openViewer(visit: Visit, study: Study, query = "") {
  await visit.open(`/studies/${study.study_uid}/view${query}`);
}

export const flows = [
  flow(
    "the images of a read study open at its first finding in three planes, red in a green box, and Visible takes both away",
    async (visit) => {
      const { page } = visit;
      await visit.signIn();
      const study = await withStones(visit);
      await visit.open(`/studies/${study.study_uid}`);
      await page.getByRole("link", { name: visit.says("영상 열기", "Open images") }).click();
      await loaded(visit);
      await marked(visit, 1);
      await visit.accessible("the viewer");
      await visit.look("viewer");
      // The findings list and the keys go to the others.
      if ((study.reading.stone_count ?? 0) > 1) {
        await page.getByRole("button", { name: /^2\. / }).click();
        await page.waitForURL(/finding=2/);
        await marked(visit, 2);
        await paneOf(visit, "coronal").focus();
        await page.keyboard.press("N");
      }
      await page.waitForURL(/finding=1/);
      // One finding's own switch.
      await page.getByRole("button", { name: visit.says("소견 1 표시", "Finding 1 visible") }).click();
      await visit.until("finding 1 is drawn though it is switched off", async () => (await page.locator('[data-mask="1"], [data-box="1"]').count()) === 0);
      await page.getByRole("button", { name: visit.says("소견 1 표시", "Finding 1 visible") }).click();
      // The colours that are told apart without red and green.
      await page.getByLabel(visit.says("소견 색상", "Colours of findings")).selectOption("safe");
      const safe = await settled(visit);
      if (where(safe.axial, isGreen).count > 0) throw new Error("green is left with the other colours");
      await page.getByLabel(visit.says("소견 색상", "Colours of findings")).selectOption("standard");
      return study.description;
    },
    { languages: ["ko", "en"] },
  ),
  flow("what is drawn as a stone lies where the synthetic patient has one", async (visit) => {
    await visit.signIn();
    // Those of the demonstration, whatever other flows sent: crates/hilum/src/commands/demo.rs.
    const counts: Record<number, number> = { 40001: 1, 40002: 3, 40004: 2 };
    const seedOf = (one: Study) => Number(/SYN-0*(\d+)/.exec(one.patient.id)?.[1] ?? NaN);
    const study = await withStones(visit, 1, (one) => seedOf(one) in counts);
    const seed = seedOf(study);
    const [{ version }] = await visit.ask<[{ version: number }]>(`/api/v1/studies/${study.study_uid}/report/versions`);
    const map = await visit.ask<LabelMap>(`/api/v1/studies/${study.study_uid}/report/versions/${version}/mask`);
    return withPhantom(
      ["--seed", String(seed), "--stones", String(counts[seed]), ...(seed === 40004 ? ["--position", "hfp"] : [])],
      async (folder) => {
        const file = filesBelow(folder).find((name) => name.endsWith("truth.json"));
        const truth = JSON.parse(readFileSync(file ?? "", "utf8")) as { stones: { centre_patient_mm: number[] }[] };
        const far = middles(map).map(({ centre }) =>
          Math.min(...truth.stones.map(({ centre_patient_mm: true_ }) => Math.hypot(...centre.map((part, axis) => part - (true_[axis] ?? NaN))))),
        );
        if (!far.some((mm) => mm < 6)) throw new Error(`the stones lie ${far.map((mm) => mm.toFixed(1)).join(", ")} mm from those of the patient`);
        return `${far.map((mm) => mm.toFixed(1)).join(", ")} mm from the true middles`;
      },
    );
  }),
  flow(
    "Predict is stopped and asked for again, and the mask appears without the page being loaded anew",
    async (visit) => {
      const { page } = visit;
      await visit.signIn();
      const known = new Set((await studies(visit)).map(({ study_uid }) => study_uid));
      await withPhantom(["--seed", visit.says("61003", "61004"), "--studies", "1", "--stones", "2", "--thickness", "5"], async (folder) => {
        await stow(visit, filesBelow(folder).filter((file) => file.endsWith(".dcm")));
      });
      const study = (await studies(visit)).find(({ study_uid }) => !known.has(study_uid));
      if (!study) throw new Error("the study that was sent is not in the list");
      await openViewer(visit, study);
      await surface(visit, visit.says("영상", "Images")).waitFor();
      let loads = 0;
      page.on("load", () => (loads += 1));
      await page.getByRole("button", { name: visit.says("취소", "Cancel"), exact: true }).click();
      await page.getByRole("status").filter({ hasText: visit.says("취소됨", "Cancelled") }).waitFor();
      if ((await page.locator("[data-mask]").count()) > 0) throw new Error("a mask is drawn before anything was read");
      await visit.look("viewer-before-predict");
      await page.getByRole("button", { name: visit.says("예측", "Predict") }).click();
      await page.getByRole("progressbar", { name: visit.says("판독 중", "Reading") }).waitFor();
      await page.getByRole("status").filter({ hasText: visit.says(/결석 \d개/, /\d stones? found/) }).waitFor({ timeout: 300_000 });
      await visit.until("the first finding was not shown", async () => (await page.locator("[data-mask]").count()) > 0);
      if (loads > 0) throw new Error("the page was loaded again");
      await page.getByText(visit.says("세 단면", "Three planes"), { exact: true }).click();
      await loaded(visit);
      await page.getByRole("button", { name: /^1\. / }).click();
      await marked(visit, 1);
      await visit.look("viewer-predicted");
    },
    // Before the first reading there is no report.
    { languages: ["ko", "en"], expected: [/status of 404 .*\/report\b/] },
  ),
  flow("scrolling, presets, layouts and keys do what they say, and the address has it all and nothing of the patient", async (visit) => {
    const { page } = visit;
    await visit.signIn();
    const study = await withStones(visit);
    await openViewer(visit, study, "?layout=stack&image=5");
    const counter = page.getByLabel("Images: image number");
    await visit.until("image 5 is not shown", async () => (await counter.textContent())?.startsWith("5 /") === true);
    await page.getByRole("button", { name: "Images: next image" }).click();
    await page.getByRole("button", { name: "Images: next image" }).click();
    await page.getByRole("button", { name: "Images: previous image" }).click();
    await visit.until("image 6 is not shown", async () => (await counter.textContent())?.startsWith("6 /") === true);
    await surface(visit, "Images").hover();
    await page.mouse.wheel(0, 100);
    await visit.until("the wheel does not scroll", async () => (await counter.textContent())?.startsWith("7 /") === true);
    await page.keyboard.press("2");
    await page.waitForURL(/preset=liver/);
    await page.getByLabel("Window preset").selectOption("bone");
    await page.waitForURL(/preset=bone/);
    const box = await surface(visit, "Images").boundingBox();
    if (!box) throw new Error("no pane");
    await page.mouse.move(box.x + 200, box.y + 200);
    await page.mouse.down();
    await page.mouse.move(box.x + 230, box.y + 220, { steps: 3 });
    await page.mouse.up();
    await page.waitForURL(/window=/);
    await page.keyboard.press("r");
    await page.waitForURL(/preset=stone/);
    await page.keyboard.press("x");
    await loaded(visit);
    await page.waitForURL(/layout=mpr/);
    await page.getByLabel("Thick slab").selectOption("mip");
    await page.getByText("MIP 10 mm").first().waitFor();
    const url = decodeURIComponent(page.url());
    const { patient } = await visit.ask<{ patient: { id: string; name: string } }>(`/api/v1/studies/${study.study_uid}`);
    for (const part of [patient.id, patient.name, ...patient.name.split("^")]) if (part && url.includes(part)) throw new Error("the address names the patient");
    await page.reload();
    await loaded(visit);
    await page.waitForURL(/preset=stone/);
    // Text on the images can be taken away, for a projector.
    await page.getByText(patient.id).first().waitFor();
    await page.getByRole("button", { name: "Text on the images" }).click();
    await visit.until("text is left on the images", async () => (await page.locator(".pane-text").count()) === 0);
    // A key of one's own.
    await page.getByRole("button", { name: "Keys and mouse" }).click();
    const dialog = page.getByRole("dialog", { name: "Keys and mouse" });
    await dialog.getByRole("button", { name: /^Reset:/ }).click();
    await page.keyboard.press("q");
    await dialog.getByRole("button", { name: "Reset: Q, change" }).waitFor();
    await visit.accessible("the keys");
    await visit.look("viewer-keys");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
    await page.keyboard.press("4");
    await page.waitForURL(/preset=bone/);
    await page.keyboard.press("q");
    await page.waitForURL(/preset=stone/);
  }),
  flow("in a narrow window the panes end where their places end", async (visit) => {
    const { page } = visit;
    await page.setViewportSize({ width: 1280, height: 800 });
    await visit.signIn();
    const study = await withStones(visit);
    await openViewer(visit, study, "?layout=mpr");
    await loaded(visit);
    const wider = await page.locator(".pane").evaluateAll((panes) =>
      panes.flatMap((pane) => {
        const room = pane.getBoundingClientRect().right;
        return [...pane.querySelectorAll("canvas, button")].map((part) => part.getBoundingClientRect().right - room).filter((over) => over > 1);
      }),
    );
    if (wider.length > 0) throw new Error(`parts of panes reach ${wider.map(Math.round).join(", ")} pixels into what lies beside`);
  }),
  flow("what is measured is kept with the study, seen again, and taken back", async (visit) => {
    const { page } = visit;
    await visit.signIn();
    const study = await withStones(visit);
    await openViewer(visit, study, "?layout=stack&image=20");
    const pane = surface(visit, "Images");
    await visit.until("no image is shown", async () => where(readPng(await pane.screenshot()), (r, g, b) => r > 60 && r === g && g === b).count > 5_000);
    const box = await pane.boundingBox();
    if (!box) throw new Error("no pane");
    const drag = async (tool: string, from: [number, number], to: [number, number]) => {
      await page.getByRole("button", { name: tool, exact: true }).click();
      await page.mouse.move(box.x + box.width * from[0], box.y + box.height * from[1]);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width * to[0], box.y + box.height * to[1], { steps: 2 });
      await page.mouse.up();
    };
    await drag("Length", [0.4, 0.5], [0.6, 0.5]);
    await page.getByText(/^\d+\.\d mm$/).first().waitFor();
    await drag("Ellipse", [0.42, 0.42], [0.5, 0.48]);
    await page.getByText(/^Mean -?\d+ ± \d+ HU$/).first().waitFor();
    await drag("HU probe", [0.55, 0.55], [0.55, 0.55]);
    await page.getByRole("tab", { name: "Measurements" }).click();
    const list = page.getByRole("list", { name: "Measurements" });
    await visit.until("three measurements are not listed", async () => (await list.getByRole("listitem").count()) === 3);
    await visit.look("viewer-measurements");
    // They come before the series they lie in.
    await page.route(/\/metadata$/, async (route) => {
      await new Promise((done) => setTimeout(done, 2000));
      await route.continue();
    });
    await page.reload();
    await page.getByText(/^Mean -?\d+ ± \d+ HU$/).first().waitFor();
    await page.getByRole("tab", { name: "Measurements" }).click();
    for (let left = 3; left > 0; left -= 1) {
      await list.getByRole("button", { name: /^Remove/ }).first().click();
      await visit.until("a measurement stays", async () => (await page.getByRole("button", { name: /^Remove/ }).count()) === left - 1);
    }
  }),
  flow("the report beside the images is judged, and a finding that is looked at there is jumped to", async (visit) => {
    const { page } = visit;
    await visit.signIn();
    const study = await withStones(visit);
    await openViewer(visit, study);
    await loaded(visit);
    await page.getByRole("tab", { name: "Report" }).click();
    const last = study.reading.stone_count ?? 1;
    await page.getByRole("group", { name: `Finding ${last}` }).focus();
    await page.waitForURL(new RegExp(`finding=${last}`));
    await page.getByRole("group", { name: `Finding ${last}` }).getByRole("button", { name: "Reject" }).click();
    await page.getByText("Rejected: no stone").first().waitFor();
    await visit.until("the box of a rejected finding is not dashed", async () => (await page.locator(`[data-box="${last}"] rect[stroke-dasharray]`).count()) > 0);
    await visit.accessible("the report beside the images");
    await visit.look("viewer-report");
    await page.getByRole("group", { name: `Finding ${last}` }).getByRole("button", { name: "Accept" }).click();
    await page.getByText("Accepted").first().waitFor();
  }),
  flow("files of this computer are looked at, and nothing is sent", async (visit) => {
    const { page } = visit;
    await visit.signIn();
    await withPhantom(["--seed", "61010", "--studies", "1", "--stones", "1", "--thickness", "5"], async (folder) => {
      await page.goto("/files");
      const sent: string[] = [];
      page.on("request", (request) => {
        if (request.method() !== "GET" || request.url().includes("/dicom-web/")) sent.push(request.url());
      });
      await visit.look("viewer-files-empty");
      const chooser = page.waitForEvent("filechooser");
      await page.getByRole("button", { name: "Open files" }).click();
      const files = filesBelow(folder).filter((file) => file.endsWith(".dcm"));
      await (await chooser).setFiles([...files, join(folder, "study-061010", "truth.json")]);
      const counter = page.getByLabel("Images: image number");
      await visit.until("the images are not opened", async () => (await counter.textContent())?.endsWith(`/ ${files.length}`) === true);
      const pane = surface(visit, "Images");
      await visit.until("no image is shown", async () => where(readPng(await pane.screenshot()), (r, g, b) => r > 60 && r === g && g === b).count > 5_000);
      await page.keyboard.press("x");
      await loaded(visit);
      await visit.accessible("files of this computer");
      await visit.look("viewer-files");
      if (sent.length > 0) throw new Error(`sent: ${sent.join(", ")}`);
    });
  }),
  flow("images and planes need no WebGL", async (visit) => {
    const { page } = visit;
    await page.addInitScript(() => {
      const { getContext } = HTMLCanvasElement.prototype;
      HTMLCanvasElement.prototype.getContext = function (this: HTMLCanvasElement, kind: string, ...rest: unknown[]) {
        return kind.startsWith("webgl") ? null : Reflect.apply(getContext, this, [kind, ...rest]);
      } as typeof getContext;
    });
    await visit.signIn();
    const study = await withStones(visit);
    await openViewer(visit, study);
    await loaded(visit);
    for (const plane of ["Axial", "Coronal", "Sagittal"]) {
      const shown = where(readPng(await surface(visit, plane).screenshot()), (r, g, b) => r > 60 && r === g && g === b);
      if (shown.count < 2_000) throw new Error(`${plane} shows nothing`);
    }
  }),
];
