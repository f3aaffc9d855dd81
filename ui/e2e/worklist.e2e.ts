import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { zipSync } from "fflate";

import { flow, type Visit } from "./harness";
import { addAccount, scene, withPhantom } from "./scene";
import { filesBelow } from "./studies";

const both = ["ko", "en"] as const;

interface Found {
  items: { study_uid: string; priority: string; instance_count: number; patient: { name: string } }[];
}

const search = (visit: Visit, body: object = {}) => visit.ask<Found>("/api/v1/studies/search", { method: "POST", body });

async function list(visit: Visit) {
  await visit.open("/");
  await visit.signIn();
  await visit.until("no study came", async () => (await search(visit)).items.length > 0, 120_000);
  await visit.page.getByRole("grid").waitFor();
}

const files = (folder: string) => filesBelow(folder).filter((path) => path.endsWith(".dcm"));

export const flows = [
  flow(
    "an emergency study appears in the list while somebody looks at it, and its reading moves in its row",
    async (visit) => {
      const { page } = visit;
      await list(visit);
      await page.getByText(visit.says("실시간", "Live"), { exact: true }).waitFor();
      const before = (await search(visit)).items.length;
      const seed = visit.language === "ko" ? 7_701 : 7_702;
      await withPhantom(["--seed", String(seed), "--studies", "1", "--stones", "1", "--matrix", "256", "--thickness", "6"], async (folder) => {
        const paths = files(folder);
        await page.locator("input[type=file]").first().setInputFiles(paths);
        await page.getByRole("region", { name: visit.says("올리기", "Upload") }).getByText(visit.says(`저장됨 ${paths.length}`, `Kept ${paths.length}`)).waitFor();
      });
      // It is announced, and shown when that is wanted: nothing moves by itself.
      await page.getByRole("button", { name: visit.says("새 검사", "new stud") }).click();
      await visit.until("the new study is not in the list", async () => (await search(visit)).items.length === before + 1);
      const uid = (await search(visit)).items[0]?.study_uid ?? "";
      await visit.ask(`/api/v1/studies/${uid}/priority`, { method: "PUT", body: { priority: "stat" } });
      const row = page.locator(`[id="study-${uid}"]`);
      await row.getByText(visit.says("초응급", "Stat")).waitFor();
      await visit.until("the reading does not end", async () => (await row.innerText()).match(/결석|해당 없음|Not applicable|stone/) !== null, 240_000);
      await page.getByRole("button", { name: visit.says("닫기", "Close"), exact: true }).last().click();
      await visit.look("worklist-live");
    },
    { languages: [...both] },
  ),
  flow(
    "the list is filtered, sorted and kept by its address, which never names a patient",
    async (visit) => {
      const { page } = visit;
      await list(visit);
      await page.getByText(visit.says("미판독", "Unread"), { exact: true }).first().click();
      await page.getByRole("button", { name: visit.says("환자", "Patient"), exact: true }).click();
      await visit.until("the address does not say it", async () => {
        const { searchParams } = new URL(page.url());
        return searchParams.get("state") === "unread" && searchParams.get("sort") === "name";
      });
      await page.getByRole("columnheader", { name: visit.says("환자", "Patient"), exact: true }).and(page.locator("[aria-sort=ascending]")).waitFor();
      await page.reload();
      await page.locator("[aria-sort=ascending]").waitFor();
      // A name is looked for, and stands nowhere but in the field.
      const name = (await search(visit)).items[0]?.patient.name.split("^")[0] ?? "";
      await page.keyboard.press("/");
      await page.keyboard.type(name);
      await page.getByRole("row").nth(1).waitFor();
      const asked = page.waitForRequest((request) => request.url().includes("/studies/search"));
      await page.keyboard.type(" ");
      await asked.catch(() => undefined);
      if (page.url().includes(name) || page.url().includes(encodeURIComponent(name))) throw new Error("the address names a patient");
      const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
      if (stored.includes(name)) throw new Error("the browser's storage names a patient");
      await page.getByLabel(visit.says("이름, 환자 번호 또는 검사명", "Name, patient ID or description")).fill("zzzzzz");
      await page.getByText(visit.says("맞는 검사가 없습니다", "Nothing matches")).first().waitFor();
      await page.getByRole("button", { name: visit.says("초기화", "Clear") }).first().click();
      await page.getByRole("grid").waitFor();
      await page.getByRole("button", { name: visit.says("필터 더 보기", "More filters") }).click();
      await page.getByLabel(visit.says("환자 이름", "Patient’s name")).waitFor();
      await visit.look("worklist-filters");
      await page.keyboard.press("Escape");
    },
    { languages: [...both] },
  ),
  flow("filters are kept under a name, and removed", async (visit) => {
    const { page } = visit;
    await list(visit);
    await page.getByText("High", { exact: true }).first().click();
    await page.getByRole("button", { name: "Saved filters" }).click();
    await page.getByLabel("Keep these filters as").fill("Urgent ones");
    await page.getByRole("button", { name: "Keep", exact: true }).click();
    await page.getByRole("menuitem", { name: "Urgent ones" }).waitFor();
    await page.keyboard.press("Escape");
    await visit.open("/");
    await page.getByRole("button", { name: "Saved filters (1)" }).click();
    await page.getByRole("menuitem", { name: "Urgent ones" }).click();
    await visit.until("the filter does not come back", async () => page.url().includes("priority=high"));
    await page.getByRole("button", { name: "Remove the filter Urgent ones" }).click();
    await page.getByText("No saved filters yet.").waitFor();
  }),
  flow(
    "keys choose a study, and result and acquisition stand beside it",
    async (visit) => {
      const { page } = visit;
      await list(visit);
      await page.keyboard.press("/");
      await page.keyboard.press("ArrowDown");
      await page.keyboard.press("ArrowDown");
      await page.keyboard.press("ArrowDown");
      const beside = page.getByRole("complementary", { name: visit.says("선택한 검사", "Chosen study") });
      await beside.waitFor();
      await beside.getByRole("tab", { name: visit.says("촬영 조건", "Acquisition") }).click();
      await beside.getByText("120", { exact: true }).first().waitFor();
      await visit.accessible("the list with a chosen study");
      await visit.look("worklist");
      await page.getByRole("grid").focus();
      const chosen = new URL(page.url()).searchParams.get("study");
      await page.keyboard.press("Enter");
      await page.waitForURL((url) => url.pathname === `/studies/${chosen}/view`);
      await page.goBack();
      await page.getByRole("row", { selected: true }).dblclick();
      await page.waitForURL((url) => url.pathname.endsWith("/view"));
    },
    // Where the viewer is not built in, its address is no page; the list leads there all the same.
    { languages: [...both] },
  ),
  flow("a zip is taken in, what is no image is left out, and every file's fate is told", async (visit) => {
    const { page } = visit;
    await list(visit);
    const folder = mkdtempSync(join(tmpdir(), "hilum-e2e-zip-"));
    try {
      await withPhantom(["--seed", "7703", "--studies", "1", "--stones", "0", "--matrix", "256", "--thickness", "10"], async (phantom) => {
        const members = Object.fromEntries(files(phantom).map((path, index) => [`CT/${index}.dcm`, new Uint8Array(readFileSync(path))]));
        writeFileSync(join(folder, "study.zip"), zipSync({ ...members, "CT/readme.txt": new TextEncoder().encode("no image") }));
        writeFileSync(join(folder, "broken.zip"), "no zip");
        await page.locator("input[type=file]").first().setInputFiles([join(folder, "study.zip"), join(folder, "broken.zip")]);
        const panel = page.getByRole("region", { name: "Upload" });
        await panel.getByText(`Kept ${Object.keys(members).length}`).waitFor();
        await panel.getByText("Not a zip that can be opened, or damaged").waitFor();
        await panel.getByText("Not a DICOM file").waitFor();
        await visit.accessible("the upload");
        await visit.look("upload");
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }),
  flow(
    "administration and help: every page opens, says something, and axe has nothing against it",
    async (visit) => {
      const { page } = visit;
      await list(visit);
      for (const [path, ko, en] of [
        ["/retrieve", "조회/가져오기", "Query/Retrieve"],
        ["/admin/jobs", "작업과 대기열", "Jobs and queues"],
        ["/admin/forwards", "전송", "Forwards"],
        ["/admin/deliveries", "전달", "Deliveries"],
        ["/admin/peers", "DICOM 상대 장비", "DICOM peers"],
        ["/admin/routes", "전송 규칙", "Routes"],
        ["/admin/storage", "저장소", "Storage"],
        ["/admin/models", "모델", "Models"],
        ["/admin/health", "상태 점검", "Health"],
        ["/setup", "처음 할 일", "First steps"],
        ["/setup?step=2", "처음 할 일", "First steps"],
        ["/setup?step=3", "처음 할 일", "First steps"],
        ["/help/worklist", "워크리스트", "The worklist"],
        ["/help/api", "API 문서", "API documentation"],
      ] as const) {
        await visit.open(path);
        await page.getByRole("heading", { level: 1, name: visit.says(ko, en), exact: true }).waitFor();
        await page.waitForLoadState("networkidle").catch(() => undefined);
        await visit.accessible(path);
        await visit.look(path.slice(1).replace(/\W+/g, "-"));
      }
    },
    { languages: [...both] },
  ),
  flow("whoever may only look sees the list and no administration, and the server agrees", async (visit) => {
    const { page } = visit;
    addAccount("looks-on", ["viewer"]);
    await visit.open("/");
    await visit.signIn("looks-on", scene.password);
    await page.getByRole("grid").waitFor();
    for (const name of ["Administration", "Query/Retrieve"]) {
      if ((await page.getByRole("navigation").getByText(name).count()) > 0) throw new Error(`${name} is offered`);
    }
    if ((await page.locator("input[type=file]").count()) > 0) throw new Error("an upload is offered");
    await visit.open("/admin/jobs");
    await page.getByRole("alert").waitFor();
  }),
];
