import { expect, it } from "vitest";

import type { StudyDetail } from "../api/types";
import { geometryOf } from "./choice";

it("tells the geometry of images, and none of documents and pictures of a screen", () => {
  const series = (modality: string) => ({ modality, geometry_findings: [{ code: "gap", text: "a gap" }] }) as StudyDetail["series"][number];
  expect(["CT", "MR", "PT", "US"].map((modality) => geometryOf(series(modality)).length)).toEqual([1, 1, 1, 1]);
  expect(["SR", "DOC", "OT", "SEG", "KO"].flatMap((modality) => geometryOf(series(modality)))).toEqual([]);
});
