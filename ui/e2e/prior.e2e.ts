import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

import { flow } from "./harness";
import { readPng } from "./png";
import { withPhantom } from "./scene";
import { filesBelow, stow, studies } from "./studies";

/** The same patient a year before: other UIDs of the same lengths, and the dates of another year. */
function yearBefore(file: Buffer): Buffer {
  const text = file.toString("latin1");
  const date = /DA\x08\x00(20\d\d)(\d{4})/.exec(text);
  if (!date) throw new Error("a synthetic study without a date");
  const [, year, day] = date as unknown as [string, string, string];
  const changed = text
    .replace(/2\.25\.(\d)(\d{20,})/g, (_, first: string, rest: string) => `2.25.${first === "1" ? 2 : 1}${rest}`)
    .replaceAll(`DA\x08\x00${year}${day}`, `DA\x08\x00${Number(year) - 1}${day}`);
  return Buffer.from(changed, "latin1");
}

export const flows = [
  flow("an earlier study of the patient, of thicker slices, is scrolled along by millimetres", async (visit) => {
    const { page } = visit;
    await visit.signIn();
    const [seed, every] = [visit.says("63001", "63002"), 2];
    await withPhantom(["--seed", seed, "--studies", "1", "--stones", "1", "--thickness", "5"], async (folder) => {
      const files = filesBelow(folder).filter((file) => file.endsWith(".dcm")).sort();
      await stow(visit, files);
      const before = join(folder, "before");
      mkdirSync(before);
      const earlier = files.filter((_, at) => at % every === 0).map((file) => {
        const copy = join(before, basename(file));
        writeFileSync(copy, yearBefore(readFileSync(file)));
        return copy;
      });
      await stow(visit, earlier);
    });
    const [prior, current] = (await studies(visit))
      .filter(({ patient }) => patient.id === `SYN-0${seed}`)
      .sort((a, b) => (a.study_date ?? "").localeCompare(b.study_date ?? ""));
    if (!prior || !current || prior.study_date === current.study_date) throw new Error("the earlier study has no earlier date");
    await page.goto(`/studies/${current.study_uid}/view?layout=stack&image=20`);
    const counters = page.getByLabel(visit.says("영상: 영상 번호", "Images: image number"));
    const shows = (pane: number, image: number) =>
      visit.until(`image ${image} is not shown in pane ${pane + 1}`, async () => (await counters.nth(pane).textContent())?.startsWith(`${image} /`) === true);
    await shows(0, 20);
    await page.getByLabel(visit.says("나란히 볼 이전 검사", "Earlier study beside this one")).selectOption(prior.study_uid);
    await visit.until("the earlier study is not beside it", async () => (await counters.count()) === 2);
    await visit.until("the earlier study shows no image", async () => /^[1-9]/.test((await counters.nth(1).textContent()) ?? ""));
    await visit.until("the image is cut off where an earlier study stands beside it", async () => {
      const { width, height, rgb } = readPng(await page.getByRole("group", { name: visit.says(/^영상,/, /^Images,/) }).first().screenshot());
      // Below the letter for right, where nothing but an image can be.
      for (let y = Math.round(0.55 * height); y < 0.65 * height; y += 1) {
        for (let x = 0; x < 6; x += 1) if ((rgb[3 * (y * width + x)] ?? 0) > 60) return false;
      }
      return true;
    });
    const began = Number(/^\d+/.exec((await counters.nth(1).textContent()) ?? "")?.[0]);
    const step = async (pane: number, times: number) => {
      const next = page.getByRole("button", { name: visit.says("영상: 다음 영상", "Images: next image") }).nth(pane);
      for (let at = 0; at < times; at += 1) await next.click();
    };
    // Alone, as long as nothing links them.
    await step(0, 2);
    await shows(0, 22);
    await shows(1, began);
    await page.keyboard.press("k");
    await page.getByText(visit.says("함께 넘기는 중", "Linked scrolling")).first().waitFor();
    // Four slices of 5 mm are two of 10 mm.
    await step(0, 4);
    await shows(0, 26);
    await shows(1, began + 2);
    // The other one leads as well.
    await step(1, 3);
    await shows(1, began + 5);
    await shows(0, 32);
    await visit.accessible("an earlier study beside the current one");
    await visit.look("viewer-prior");
    await page.keyboard.press("k");
    await page.getByText(visit.says("함께 넘기는 중", "Linked scrolling")).first().waitFor({ state: "detached" });
    await step(0, 1);
    await shows(0, 33);
    await shows(1, began + 5);
    return `image ${began} to ${began + 5} of the earlier study`;
  }, { languages: ["en", "ko"], expected: [/status of 404 .*\/report\b/] }),
];
