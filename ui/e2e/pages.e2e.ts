import { flow } from "./harness";
import { studies, withStones } from "./studies";

const both = ["ko", "en"] as const;

export const flows = [
  flow(
    "somebody signs in, sees the synthetic patients arrive and opens the report of one",
    async (visit) => {
      const { page } = visit;
      await visit.open("/");
      await page.getByLabel(visit.says("아이디", "Login")).waitFor();
      await visit.accessible("the sign-in");
      await visit.look("sign-in");
      await visit.signIn();
      await page.getByRole("heading", { level: 1, name: visit.says("검사 목록", "Studies") }).waitFor();
      const study = await withStones(visit);
      await visit.accessible("the list");
      await visit.look("list");
      await visit.open(`/studies/${study.study_uid}`);
      await page.getByText(visit.says("살펴본 범위", "What was looked at")).first().waitFor();
      await visit.accessible("the report");
      await visit.look("report");
    },
    { languages: [...both] },
  ),
  flow(
    "markup in DICOM text is shown as text, and runs nothing",
    async (visit) => {
      const { page } = visit;
      await visit.open("/");
      await visit.signIn();
      for (const path of ["/", ...(await studies(visit)).map((study) => `/studies/${study.study_uid}`)]) {
        await visit.open(path);
        await page.getByText("<script>window.hilumHostile").first().waitFor();
        await visit.look(`markup-${path === "/" ? "list" : "report"}`);
        if (await page.evaluate(() => "hilumHostile" in window)) throw new Error(`${path} ran what stands in a DICOM text`);
      }
      return "list and report";
    },
    { scene: "markup" },
  ),
];
