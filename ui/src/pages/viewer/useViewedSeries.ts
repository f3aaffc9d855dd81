import { useQuery } from "@tanstack/react-query";

import type { StudyDetail } from "../../api/types";
import { metadataOf } from "../../api/viewer";
import { viewedSeries } from "../../viewer/series";

/** A series of a study as it is looked at; with a regular geometry there are millimetres. */
export function useViewedSeries(studyUid: string, shown: StudyDetail["series"][number] | undefined) {
  const { series_uid = "", slices = 0, spacing_mm } = shown ?? {};
  const regular = spacing_mm != null;
  return useQuery({
    queryKey: ["viewedSeries", studyUid, series_uid, slices, regular],
    queryFn: async ({ client }) => viewedSeries(studyUid, series_uid, await client.fetchQuery(metadataOf(studyUid, series_uid, slices)), regular),
    enabled: shown !== undefined,
    staleTime: Infinity,
    gcTime: 0,
  });
}
