/** Which series of a study is looked at; without the library that draws, so that it can be known before that has come. */

import type { StudyDetail } from "../api/types";

type Series = StudyDetail["series"][number];

/** Modalities whose objects are no images to look at (PS3.3 C.7.3.1.1.1). */
const notImages = new Set(["SEG", "SR", "PR", "KO", "DOC", "RTSTRUCT", "RTPLAN", "RTDOSE", "REG", "FID", "RWV", "AU", "ECG", "HD"]);
export const isLookedAt = (modality: string): boolean => !notImages.has(modality);

/** What the check of its geometry found in a series; nothing of what has none to check: documents, and pictures taken of a screen. */
export const geometryOf = ({ modality, geometry_findings }: Series): Series["geometry_findings"] =>
  isLookedAt(modality) && modality !== "OT" ? geometry_findings : [];

/** The series of a study that have images. */
export const seriesOf = (study: StudyDetail): Series[] => study.series.filter(({ modality, slices }) => isLookedAt(modality) && slices > 0);

/** Of some series the one that somebody asked for; else the one that a report is about, that is best for a reading, the first. */
export const choice = (series: readonly Series[], asked: string | null, reported?: string): Series | undefined =>
  [asked, reported].map((uid) => series.find(({ series_uid }) => series_uid === uid)).find(Boolean) ?? series.find(({ chosen }) => chosen) ?? series[0];
