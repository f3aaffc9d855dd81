import { useTranslation } from "react-i18next";

import type { ReviewedFinding, StoneEdits } from "../../../api/review";
import type { Stone } from "../../../api/types";
import { usePlace } from "../../../components/reportText";
import { millimetres } from "../../../components/text";

/** What is stated of a stone, in one line. */
export function useStated(): (edits: StoneEdits) => string {
  const { t } = useTranslation();
  return (edits) =>
    [
      edits.side && t(`side.${edits.side}`),
      edits.site && t(`stoneSite.${edits.site}`),
      edits.largest_diameter_mm !== null && `${millimetres(edits.largest_diameter_mm)} mm`,
    ]
      .filter(Boolean)
      .join(" · ");
}

/** What the model states of a stone, in one line. */
export function useFound(): (stone: Stone) => string {
  const place = usePlace();
  return (stone) =>
    [
      place(stone),
      stone.largest_diameter_mm != null && `${millimetres(stone.largest_diameter_mm)} mm`,
    ]
      .filter(Boolean)
      .join(" · ");
}

/** Findings of the report that nobody has judged. */
export function unjudged(findings: ReviewedFinding[]): number {
  return findings.filter((finding) => finding.verdict === null).length;
}

/** Stones that the review leaves, with what nobody has judged yet. */
export function stonesLeft(findings: ReviewedFinding[]): number {
  const gone = ["rejected", "withdrawn"];
  return findings.filter((finding) => finding.verdict === null || !gone.includes(finding.verdict.verdict)).length;
}
