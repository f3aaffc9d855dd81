import { Anchor, Group, Stack, Tabs } from "@mantine/core";
import { memo, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useNavigate } from "react-router";

import { useVersions } from "../../api/reviewHooks";
import type { UrinaryStoneReport } from "../../api/types";
import type { KeptMeasurement } from "../../api/viewer";
import type { Viewer } from "../../viewer/Viewer";
import { ReviewCard } from "../report/review/ReviewCard";
import { VersionBar, VersionNotice } from "../report/review/VersionBar";
import { FindingsList } from "./FindingsList";
import { MeasurementsList } from "./MeasurementsList";
import { useViewerState } from "./useViewer";

interface Props {
  viewer: Viewer;
  studyUid: string;
  report: UrinaryStoneReport | null;
  measurements: KeptMeasurement[];
  onShowFinding: (number: number) => void;
  onRemoveMeasurement: (id: number) => void;
  onCorrect: (number: number | null) => void;
  busy: boolean;
}

/** Beside the images: what was found, the report, what was measured. */
export const SidePanel = memo(function SidePanel({ viewer, studyUid, report, measurements, onShowFinding, onRemoveMeasurement, onCorrect, busy }: Props) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const { series } = useViewerState(viewer, "series");
  const [tab, setTab] = useState<string | null>("findings");
  // Once it was opened it stays behind the other tabs: what is being written there is not lost.
  const [reading, setReading] = useState(false);
  const versions = useVersions(studyUid, report !== null).data ?? [];
  const onPage = (version: number | null) => void navigate(`/studies/${studyUid}${version === null ? "" : `?version=${version}`}`);
  return (
    <aside className="viewer-side" aria-label={t("viewer.side")}>
      <Tabs
        value={tab}
        onChange={(opened) => {
          setTab(opened);
          if (opened === "report") setReading(true);
        }}
        keepMounted={false}
        // Hidden and no more: what guards it against being left goes on.
        keepMountedMode="display-none"
      >
        <Tabs.List grow>
          <Tabs.Tab value="findings">{t("viewer.findings.title")}</Tabs.Tab>
          {report && <Tabs.Tab value="report">{t("report.title")}</Tabs.Tab>}
          <Tabs.Tab value="measurements">{t("viewer.measurements.title")}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="findings">
          <FindingsList viewer={viewer} stones={report?.stones ?? []} onShow={onShowFinding} onCorrect={onCorrect} busy={busy} />
        </Tabs.Panel>
        {report && (
          <Tabs.Panel value="report" keepMounted={reading}>
            <Stack gap="sm" p="sm">
              <Group justify="space-between">
                <VersionBar studyUid={studyUid} versions={versions} shown={report.version} onShow={onPage} />
                <Anchor component={Link} to={`/studies/${studyUid}`} size="sm">
                  {t("viewer.wholeReport")}
                </Anchor>
              </Group>
              <VersionNotice versions={versions} shown={report.version} onShow={onPage} />
              <ReviewCard key={report.version} studyUid={studyUid} report={report} onSigned={() => undefined} onLookAt={onShowFinding} />
            </Stack>
          </Tabs.Panel>
        )}
        <Tabs.Panel value="measurements">
          <MeasurementsList
            viewer={viewer}
            measurements={measurements}
            isShown={(one) => one.series_uid === series?.seriesUid}
            onRemove={onRemoveMeasurement}
          />
        </Tabs.Panel>
      </Tabs>
    </aside>
  );
});
