import { flow } from "./harness";
import { withPhantom } from "./scene";
import { filesBelow, studies, withStones } from "./studies";
import { brushTheFirstFinding } from "./viewing";

const both = ["ko", "en"] as const;

/** The pictures of docs/user-guide: `cargo xtask e2e --only "the guide" --screenshots docs/user-guide/images` makes them anew. */
export const flows = [
  flow(
    "the guide shows the list, a report, its images and their review as they are",
    async (visit) => {
      const { page } = visit;
      await visit.signIn();
      const study = await withStones(visit, 2);
      const read = async () => {
        const all = await studies(visit);
        return all.length >= 4 && all.every(({ reading }) => reading.state === "done" || reading.state === "not_applicable");
      };
      await visit.until("the patients of the demonstration are not read", read, 600_000);
      await visit.open("/setup?step=3");
      await page.getByRole("heading", { level: 1, name: visit.says("처음 할 일", "First steps") }).waitFor();
      await visit.illustrate("first-steps");

      await visit.open(`/?study=${study.study_uid}`);
      await page.getByRole("complementary", { name: visit.says("선택한 검사", "Chosen study") }).waitFor();
      await page.waitForLoadState("networkidle").catch(() => undefined);
      await visit.illustrate("worklist");
      await visit.open("/");
      await page.getByRole("grid").waitFor();
      await page.getByRole("button", { name: visit.says("필터 더 보기", "More filters") }).click();
      await page.getByLabel(visit.says("환자 이름", "Patient’s name")).waitFor();
      await visit.illustrate("filters");

      await visit.open(`/studies/${study.study_uid}`);
      await page.getByText(visit.says("살펴본 범위", "What was looked at")).first().waitFor();
      await page.waitForLoadState("networkidle").catch(() => undefined);
      await visit.illustrate("report");
      await page.getByRole("link", { name: visit.says("영상 열기", "Open images") }).click();
      await visit.until("no mask is drawn in three planes", async () => (await page.locator('[data-mask="1"]').count()) === 3, 120_000);
      await page.getByRole("progressbar", { name: visit.says("장 불러옴", "images loaded") }).waitFor({ state: "detached", timeout: 120_000 });
      await visit.illustrate("images");
      await brushTheFirstFinding(visit);
      await page.getByRole("button", { name: visit.says("버리기", "Discard"), exact: true }).waitFor();
      await visit.illustrate("brush");
      await page.getByRole("button", { name: visit.says("버리기", "Discard"), exact: true }).click();
      await page.getByRole("tab", { name: visit.says("보고서", "Report") }).click();
      await page.getByRole("group", { name: visit.says("소견 1", "Finding 1"), exact: true }).waitFor();
      await visit.illustrate("review");

      await visit.open("/admin/health");
      await page.getByRole("heading", { level: 1, name: visit.says("상태 점검", "Health") }).waitFor();
      await page.waitForLoadState("networkidle").catch(() => undefined);
      await visit.illustrate("health");
    },
    { languages: [...both] },
  ),
  flow(
    "the guide shows what becomes of files that are taken in",
    async (visit) => {
      const { page } = visit;
      await visit.signIn();
      await page.getByRole("grid").waitFor();
      await withPhantom(["--seed", visit.says("7711", "7712"), "--studies", "1", "--stones", "0", "--matrix", "256", "--thickness", "10"], async (folder) => {
        const files = filesBelow(folder).filter((file) => /\.(dcm|json)$/.test(file));
        await page.locator("input[type=file]").first().setInputFiles(files);
        const kept = files.filter((file) => file.endsWith(".dcm")).length;
        await page.getByRole("region", { name: visit.says("올리기", "Upload") }).getByText(visit.says(`저장됨 ${kept}`, `Kept ${kept}`)).waitFor();
        await visit.illustrate("upload");
      });
    },
    { languages: [...both] },
  ),
];
