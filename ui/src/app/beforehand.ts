/** What a page will ask for is asked for while its code still comes. What fails here the page asks for again, and tells of it. */

import type { QueryClient } from "@tanstack/react-query";
import type { LoaderFunction, ShouldRevalidateFunction } from "react-router";

import { reportOf, studyOf } from "../api/hooks";
import { reviewOf } from "../api/reviewHooks";
import { sessionState } from "../api/session";
import { maskOf, measurementsOf, metadataOf } from "../api/viewer";
import { choice, seriesOf } from "../viewer/choice";
import { loadSession, may } from "./session";

/** Waits until it is known who is signed in. */
async function sees(): Promise<boolean> {
  if (sessionState().kind === "unknown") await loadSession();
  const state = sessionState();
  return state.kind === "in" && may(state.session, "view");
}

/** The page is not waited for: it shows itself as its parts come. */
function begin(asking: () => Promise<unknown>): null {
  void sees().then((so) => so && asking()).catch(() => undefined);
  return null;
}

/** The report of a study. */
export const reportBeforehand = (client: QueryClient): LoaderFunction => ({ params: { studyUid = "" } }) =>
  begin(async () => client.fetchQuery(reportOf(studyUid, (await client.fetchQuery(studyOf(studyUid))).reading)));

/** The images of a study: the code that draws them comes at once, whoever asks. */
export const imagesBeforehand = (client: QueryClient, code: () => Promise<unknown>): LoaderFunction => ({ params: { studyUid = "" }, request }) => {
  void code().catch(() => undefined);
  return begin(async () => {
    void client.prefetchQuery(measurementsOf(studyUid));
    const study = await client.fetchQuery(studyOf(studyUid));
    const series = (reported?: string) => {
      const shown = choice(seriesOf(study), new URL(request.url).searchParams.get("series"), reported);
      if (shown) void client.prefetchQuery(metadataOf(studyUid, shown.series_uid, shown.slices));
    };
    // The report is about the series that was chosen for it, as a rule: it is not waited for.
    series();
    const report = await client.fetchQuery(reportOf(studyUid, study.reading));
    series(report?.study.series?.series_uid);
    if (!report) return;
    void client.prefetchQuery(reviewOf(studyUid, report.version));
    if (report.stones.length > 0) void client.prefetchQuery(maskOf(studyUid, report.version));
  });
};

/** What is looked at stands in the address, which follows it: nothing is to be asked for again. */
export const onAnotherPage: ShouldRevalidateFunction = ({ currentUrl, nextUrl }) => currentUrl.pathname !== nextUrl.pathname;
