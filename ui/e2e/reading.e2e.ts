import { flow } from "./harness";
import { scene, withPhantom } from "./scene";
import { filesBelow, stow, studies } from "./studies";
import { brushTheFirstFinding } from "./viewing";

interface Document {
  stones: { number: number; voxels: number; measured_by: string; largest_diameter_mm: number }[];
  review: { stone_count: number; findings: { number: number; verdict: string }[] };
  signature: { by: string } | null;
}

export const flows = [
  flow(
    "an emergency study is read, one stone corrected with the brush, one rejected, the report signed, and the PDF comes",
    async (visit) => {
      const { page } = visit;
      await visit.signIn();
      const known = new Set((await studies(visit)).map(({ study_uid }) => study_uid));
      await withPhantom(["--seed", visit.says("62005", "62001"), "--studies", "1", "--stones", "3", "--thickness", "3"], async (folder) => {
        await stow(visit, filesBelow(folder).filter((file) => file.endsWith(".dcm")));
      });
      const study = (await studies(visit)).find(({ study_uid }) => !known.has(study_uid));
      if (!study) throw new Error("the study that was sent is not in the list");
      await visit.open(`/studies/${study.study_uid}/view?layout=stack`);
      await page.getByRole("status").filter({ hasText: visit.says(/결석 \d개/, /\d stones? found/) }).waitFor({ timeout: 300_000 });
      await visit.until("no finding is shown", async () => (await page.locator("[data-mask]").count()) > 0);
      const found = await page.getByRole("list", { name: visit.says("소견", "Findings") }).getByRole("listitem").count();
      if (found < 2) throw new Error(`${found} stones were found, two are needed`);
      // The brush makes the first one larger, in the plane that is shown.
      await page.getByRole("button", { name: /^1\. / }).click();
      await brushTheFirstFinding(visit);
      await visit.look("viewer-brush");
      await page.getByRole("button", { name: visit.says("보관", "Keep"), exact: true }).click();
      await page.getByRole("button", { name: visit.says("보관", "Keep"), exact: true }).waitFor({ state: "detached" });
      await page.getByRole("tab", { name: visit.says("보고서", "Report") }).click();
      const finding = (number: number) => page.getByRole("group", { name: visit.says(`소견 ${number}`, `Finding ${number}`), exact: true });
      await finding(1).getByText(visit.says(/^수정: /, /^Edited: /)).first().waitFor();
      await finding(2).getByRole("button", { name: visit.says("기각", "Reject") }).click();
      await finding(2).getByText(visit.says("기각: 결석 아님", "Rejected: no stone")).first().waitFor();
      await visit.look("viewer-judged");
      await page.getByRole("button", { name: visit.says("서명", "Sign"), exact: true }).click();
      const dialog = page.getByRole("dialog");
      await dialog.locator("input[type=password]").fill(scene.password);
      const rest = dialog.getByRole("checkbox");
      if (await rest.count()) await rest.check();
      await dialog.locator("button[type=submit]").click();
      await dialog.waitFor({ state: "hidden" });
      const document = await visit.ask<Document>(`/api/v1/studies/${study.study_uid}/report`);
      if (document.signature?.by !== scene.login) throw new Error(`signed by ${document.signature?.by}`);
      const [first] = document.stones;
      if (first?.measured_by !== "mask") throw new Error(`the corrected stone was measured by ${first?.measured_by}`);
      if (document.review.stone_count !== found - 1) throw new Error(`${document.review.stone_count} stones after review, ${found} before`);
      const pdf = await page.context().request.get(`/api/v1/studies/${study.study_uid}/report.pdf?lang=${visit.language}`);
      if (!pdf.ok() || !(await pdf.body()).subarray(0, 5).equals(Buffer.from("%PDF-"))) throw new Error("the PDF does not come");
      await visit.accessible("the signed report beside the images");
      await visit.look("viewer-signed");
    },
    // Before the first reading there is no report.
    { languages: ["en", "ko"], expected: [/status of 404 .*\/report\b/] },
  ),
];
