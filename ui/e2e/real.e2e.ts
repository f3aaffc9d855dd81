import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { basename, join } from "node:path";

import { flow, type Visit } from "./harness";
import { readPng, where } from "./png";
import { shared } from "./scene";
import { filesBelow, stow, studies } from "./studies";

/** Real data, or null and a word about it; where they are required, their absence is a failure. */
function real(name: string): string | null {
  const folder = shared && join(shared, name);
  if (folder && existsSync(folder)) return folder;
  if (process.env.HILUM_REQUIRE_SHARED === "1") throw new Error(`${name} is required and not there`);
  return null;
}

/** Mean of the HU in a circle round the middle of an image, as pydicom and numpy have it; null where pydicom has no decoder. */
function means(files: string[], share: number): (number | null)[] | null {
  const python = process.env.HILUM_ORACLE_PYTHON;
  if (!python) {
    if (process.env.HILUM_REQUIRE_ORACLES === "1") throw new Error("the oracles are required and not installed");
    return null;
  }
  const program = `
import json, sys, numpy as np, pydicom
share, out = float(sys.argv[1]), []
for name in json.load(sys.stdin):
    d = pydicom.dcmread(name)
    try: hu = d.pixel_array * float(d.get("RescaleSlope", 1)) + float(d.get("RescaleIntercept", 0))
    except Exception: out.append(None); continue
    rows, columns = hu.shape
    y, x = np.mgrid[0:rows, 0:columns]
    r = share * min(rows, columns)
    out.append(float(hu[(x - (columns - 1) / 2) ** 2 + (y - (rows - 1) / 2) ** 2 <= r * r].mean()))
print(json.dumps(out))`;
  return JSON.parse(execFileSync(python, ["-c", program, String(share)], { input: JSON.stringify(files), encoding: "utf8", stdio: ["pipe", "pipe", "ignore"] })) as (number | null)[];
}

/** Draws a circle round the middle of the image, and reads what the viewer says of it. */
async function meanInCircle(visit: Visit, share: number): Promise<number> {
  const { page } = visit;
  await page.getByRole("button", { name: "Ellipse", exact: true }).click();
  const box = await page.getByRole("group", { name: /^Images,/ }).boundingBox();
  if (!box) throw new Error("no pane");
  const [x, y, r] = [box.x + box.width / 2, box.y + box.height / 2, share * Math.min(box.width, box.height)];
  await page.mouse.move(x - r, y - r);
  await page.mouse.down();
  await page.mouse.move(x + r, y + r, { steps: 2 });
  await page.mouse.up();
  const said = await page.getByText(/^Mean -?\d+ ± \d+ HU$/).last().textContent();
  return Number(/-?\d+/.exec(said ?? "")?.[0] ?? NaN);
}

const skipped = "SKIPPED: no real data beside the repository";

export const flows = [
  flow("a real head CT with mixed spacing is looked at one by one, with a banner and without millimetres", async (visit) => {
    const folder = real("ct-head-ge");
    if (!folder) return skipped;
    const { page } = visit;
    await visit.signIn();
    const known = new Set((await studies(visit)).map(({ study_uid }) => study_uid));
    await stow(visit, filesBelow(folder).filter((file) => file.endsWith(".dcm")));
    const study = (await studies(visit)).find(({ study_uid }) => !known.has(study_uid));
    if (!study) throw new Error("the study that was sent is not in the list");
    const settled = async () => (await studies(visit)).find(({ study_uid }) => study_uid === study.study_uid)?.reading.state !== "receiving";
    await visit.until("the study is not settled", settled, 120_000);
    await page.goto(`/studies/${study.study_uid}/view`);
    await page.getByText("The geometry of this series was refused").waitFor();
    const pane = page.getByRole("group", { name: /^Images,/ });
    await visit.until("no image is shown", async () => where(readPng(await pane.screenshot()), (r, g, b) => r > 60 && r === g && g === b).count > 5_000);
    if (await page.getByRole("radio", { name: "Three planes" }).isEnabled()) throw new Error("three planes are offered");
    if (/\d (mm|cm)\b/.test(await pane.innerText())) throw new Error("millimetres are shown");
    await visit.look("viewer-refused");
    return undefined;
  }, { expected: [/status of 404 .*\/report\b/] }),
  flow("an image in each transfer syntax that browsers decode has the mean that pydicom finds", async (visit) => {
    const folder = real("dicom-conformance");
    if (!folder) return skipped;
    const { page } = visit;
    const named = filesBelow(join(folder, "cornerstone3D")).filter((file) => /CTImage\.dcm_/.test(file));
    const files = named.filter((file, at) => named.findIndex((other) => basename(other) === basename(file)) === at);
    const expected = means(files, 0.2);
    if (!expected) return "SKIPPED: pydicom is not installed (cargo xtask test --install)";
    const [looked, refused]: [string[], string[]] = [[], []];
    await visit.signIn();
    for (const [at, file] of files.entries()) {
      const mean = expected[at];
      // Progressive and spectral-selection JPEG: pydicom has no decoder, and nothing sends them.
      if (mean == null) continue;
      await page.goto("/files");
      const chooser = page.waitForEvent("filechooser");
      await page.getByRole("button", { name: "Open files" }).click();
      await (await chooser).setFiles(file);
      const pane = page.getByRole("group", { name: /^Images,/ });
      const syntax = /dcm_(\w+)TransferSyntax/.exec(file)?.[1] ?? file;
      if (/Process2_4/.test(syntax)) {
        // Browsers' decoders find other values in it: it is refused.
        await page.getByText("1 image was left out").waitFor();
        refused.push(syntax);
        continue;
      }
      await visit.until(`${syntax} is not shown`, async () => where(readPng(await pane.screenshot()), (r, g, b) => r > 60 && r === g && g === b).count > 2_000);
      const ours = await meanInCircle(visit, 0.2);
      if (Math.abs(ours - mean) > 4) throw new Error(`${syntax}: ${ours} HU, pydicom says ${mean.toFixed(1)}`);
      looked.push(syntax);
    }
    if (looked.length < 10) throw new Error(`only ${looked.join(", ")}`);
    if (refused.length !== 1) throw new Error(`refused: ${refused.join(", ") || "none"}`);
    return `${looked.length}: ${looked.join(", ")}; refused: ${refused.join(", ")}`;
  }),
  flow("a real chest CT in JPEG-LS opens through DICOMweb with the mean that pydicom finds", async (visit) => {
    const folder = real("ct-chest-lidc0314");
    if (!folder) return skipped;
    const files = filesBelow(folder).filter((file) => file.endsWith(".dcm"));
    const expected = means(files, 0.2);
    if (!expected) return "SKIPPED: pydicom is not installed (cargo xtask test --install)";
    const { page } = visit;
    await visit.signIn();
    const known = new Set((await studies(visit)).map(({ study_uid }) => study_uid));
    for (let at = 0; at < files.length; at += 60) await stow(visit, files.slice(at, at + 60));
    const study = (await studies(visit)).find(({ study_uid }) => !known.has(study_uid));
    if (!study) throw new Error("the study that was sent is not in the list");
    const settled = async () => (await studies(visit)).find(({ study_uid }) => study_uid === study.study_uid)?.reading.state !== "receiving";
    await visit.until("the study is not settled", settled, 120_000);
    await page.goto(`/studies/${study.study_uid}/view?layout=stack`);
    const pane = page.getByRole("group", { name: /^Images,/ });
    await visit.until("no image is shown", async () => where(readPng(await pane.screenshot()), (r, g, b) => r > 60 && r === g && g === b).count > 2_000);
    const ours = await meanInCircle(visit, 0.2);
    // Which file it is that is shown does not stand on the page: neighbouring slices have other means, and one of them has this one.
    const nearest = Math.min(...expected.map((mean) => Math.abs((mean ?? Infinity) - ours)));
    if (!(nearest <= 4)) throw new Error(`${ours} HU; the nearest mean that pydicom finds is ${nearest.toFixed(1)} away`);
    await visit.look("viewer-chest");
    return `${files.length} images, ${ours} HU`;
  }, { expected: [/status of 404 .*\/report\b/] }),
];
