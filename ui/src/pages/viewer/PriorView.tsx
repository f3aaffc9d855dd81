import { Alert, Center, Loader } from "@mantine/core";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";

import { useStudy } from "../../api/hooks";
import { useProblem } from "../../components/access";
import { choice, seriesOf } from "../../viewer/choice";
import { link, type Unlinked } from "../../viewer/link";
import type { Viewer } from "../../viewer/Viewer";
import { PaneView } from "./PaneView";
import { useDescribe } from "./useDescribe";
import { useViewedSeries } from "./useViewedSeries";
import { useViewer, useViewerState } from "./useViewer";

interface Props {
  studyUid: string;
  /** What it stands beside. */
  beside: Viewer;
  /** Whether each is scrolled with the other. */
  linked: boolean;
  onUnlinked: (why: Unlinked) => void;
}

/** An earlier study of the patient beside the current one: the same window and tool, and scrolled together where that is wanted. */
export function PriorView(props: Props) {
  const viewer = useViewer();
  return viewer ? <Prior {...props} viewer={viewer} /> : null;
}

function Prior({ studyUid, beside, linked, onUnlinked, viewer }: Props & { viewer: Viewer }) {
  const { t } = useTranslation();
  const problem = useProblem();
  const study = useStudy(studyUid);
  const shown = study.data && choice(seriesOf(study.data), null);
  const images = useViewedSeries(studyUid, shown);
  const { window, tool } = useViewerState(beside, "window", "tool");
  useEffect(() => {
    if (!images.data) return;
    const { series: before, layers } = viewer.state();
    // More slices of the same series came, or its geometry is known now: the image that is looked at stays.
    void viewer.show(images.data, "stack", before?.seriesUid === images.data.seriesUid ? layers.stack?.at : undefined);
  }, [viewer, images.data]);
  useEffect(() => viewer.setWindow(window), [viewer, window]);
  useEffect(() => viewer.setTool(tool === "window" || tool === "pan" || tool === "zoom" || tool === "scroll" ? tool : "window"), [viewer, tool]);
  useEffect(() => (linked ? link(beside, viewer, onUnlinked) : undefined), [linked, beside, viewer, onUnlinked]);
  useDescribe(viewer);
  if (study.isError) {
    return (
      <Alert color="red" m="md">
        {problem(study.error, "view")}
      </Alert>
    );
  }
  if (!study.data) {
    return (
      <Center>
        <Loader aria-label={t("form.loading")} />
      </Center>
    );
  }
  return <PaneView viewer={viewer} name="stack" patient={[t("viewer.prior.of", { date: study.data.study_date }), ...(linked ? [t("viewer.prior.linked")] : [])]} />;
}
