import { Alert, Anchor, Badge, Button, Center, Grid, Group, Loader, Progress, Stack, Text, Title } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import { lazy, type ReactNode, Suspense, useEffect } from "react";
import { useTranslation } from "react-i18next";
import { Link, useNavigate, useParams, useSearchParams } from "react-router";

import { isPending, useReadingSwitch, useReport, useStudy } from "../../api/hooks";
import { ApiError } from "../../api/http";
import { useReportVersion, useVersions } from "../../api/reviewHooks";
import type { StudyDetail, UrinaryStoneReport } from "../../api/types";
import { useMay } from "../../app/session";
import { useProblem } from "../../components/access";
import { ReadingBadge } from "../../components/ReadingBadge";
import { patientName, useNote, useSex } from "../../components/text";
import { ComparisonCard } from "./ComparisonCard";
import { CoverageCard } from "./CoverageCard";
import { KeyImages } from "./KeyImages";
import { OptionsCard } from "./OptionsCard";
import { ProvenanceCard } from "./ProvenanceCard";
import { RejectedCard } from "./RejectedCard";
import { ResultCard } from "./ResultCard";
import { ReviewCard } from "./review/ReviewCard";
import { VersionBar, VersionNotice } from "./review/VersionBar";
import { SeriesTable } from "./SeriesTable";
import { StonesTable } from "./StonesTable";

const SliceScores = lazy(() => import("./SliceScores"));

export function ReportPage() {
  const { t } = useTranslation();
  const problem = useProblem();
  const { studyUid = "" } = useParams();
  const navigate = useNavigate();
  const leave = () => {
    // What lies over the page is closed first.
    if (!document.querySelector('[role="dialog"], [role="menu"]')) void navigate("/");
  };
  useHotkeys([["Escape", leave]]);
  const study = useStudy(studyUid);
  const current = useReport(studyUid, study.data?.reading);
  const [search, setSearch] = useSearchParams();
  const asked = Number.parseInt(search.get("version") ?? "", 10);
  const other = useReportVersion(studyUid, asked > 0 ? asked : null);
  const report = asked > 0 ? other : current;
  const versions = useVersions(studyUid, current.data != null).data ?? [];
  const show = (version: number | null) => setSearch(version === null ? {} : { version: String(version) });
  useEffect(() => {
    document.title = `${t("report.title")} · Hilum`;
  }, [t]);

  if (study.isError && !study.data) {
    const absent = study.error instanceof ApiError && study.error.status === 404;
    return (
      <Alert color={absent ? "yellow" : "red"} title={t(absent ? "report.notFound" : "report.failed")}>
        {absent ? t("report.notFoundHelp") : problem(study.error, "view")} <Anchor component={Link} to="/">{t("report.back")}</Anchor>
      </Alert>
    );
  }
  if (!study.data) {
    return (
      <Center py={80}>
        <Loader />
      </Center>
    );
  }
  const found = report.data ?? null;
  return (
    <Stack gap="md">
      <StudyHeader study={study.data}>
        <Button component={Link} to={`/studies/${studyUid}/view`} variant="default" className="no-print">
          {t("viewer.open")}
        </Button>
        {found && <VersionBar studyUid={studyUid} versions={versions} shown={found.version} onShow={show} />}
      </StudyHeader>
      <ReadingProgress study={study.data} />
      {found && <VersionNotice versions={versions} shown={found.version} onShow={show} />}
      {found && (
        <>
          <ResultCard report={found} />
          {found.stones.length > 0 && (
            <>
              <KeyImages studyUid={studyUid} report={found} />
              <StonesTable stones={found.stones} />
              <OptionsCard studyUid={studyUid} report={found} />
            </>
          )}
          {found.rejected && found.rejected.length > 0 && <RejectedCard rejected={found.rejected} />}
          {found.comparison && <ComparisonCard comparison={found.comparison} rejected={rejectedOf(found)} />}
          <ReviewCard key={found.version} studyUid={studyUid} report={found} onSigned={() => show(null)} />
          <Grid>
            <Grid.Col span={{ base: 12, md: 6 }}>
              <CoverageCard report={found} />
            </Grid.Col>
            {found.coverage.slices_searched > 0 && (
              <Grid.Col span={{ base: 12, md: 6 }}>
                <Suspense fallback={<Loader />}>
                  <SliceScores slices={found.slices} threshold={found.result.score_threshold ?? null} />
                </Suspense>
              </Grid.Col>
            )}
          </Grid>
        </>
      )}
      <SeriesTable series={study.data.series} report={found} />
      {found && <ProvenanceCard report={found} />}
    </Stack>
  );
}

/** Numbers of the stones that the physician who signed says are none. */
function rejectedOf(report: UrinaryStoneReport): ReadonlySet<number> {
  const findings = report.review?.findings ?? [];
  return new Set(findings.filter((finding) => finding.verdict === "rejected").map((finding) => finding.number));
}

function StudyHeader({ study, children }: { study: StudyDetail; children: ReactNode }) {
  const { t, i18n } = useTranslation();
  const { patient } = study;
  const name = patientName(patient, i18n.language);
  const sex = useSex()(patient);
  return (
    <Group justify="space-between" align="start">
      <Stack gap={4}>
        <Anchor component={Link} to="/" size="sm" className="no-print">
          ← {t("report.back")}
        </Anchor>
        <Group gap="sm">
          <Title order={1} size="h2">{name.main || t("studies.nameless")}</Title>
          {name.beside && (
            <Text size="lg" c="dimmed">
              {name.beside}
            </Text>
          )}
          {study.synthetic && (
            <Badge color="grape" variant="light">
              {t("studies.synthetic")}
            </Badge>
          )}
        </Group>
        <Text c="dimmed" size="sm">
          {[patient.id, sex, patient.birth_date, study.description, `${study.study_date} ${study.study_time.slice(0, 5)}`]
            .filter((part) => part.trim())
            .join(" · ")}
        </Text>
      </Stack>
      {children}
    </Group>
  );
}

function ReadingProgress({ study }: { study: StudyDetail }) {
  const { t } = useTranslation();
  const note = useNote();
  const predicts = useMay("predict");
  const reading = useReadingSwitch(study.study_uid);
  const { state, progress, reason } = study.reading;
  if (isPending(study.reading)) {
    return (
      <Alert color="hilum" variant="light" title={t(`reading.${state}`)}>
        <Group>
          <Progress flex={1} animated value={state === "reading" ? 100 * progress : 0} aria-label={t("reading.reading")} />
          <Text size="sm" w={44} ta="right">
            {Math.round(100 * progress)} %
          </Text>
          {predicts && (
            <Button size="xs" variant="default" loading={reading.isPending} onClick={() => reading.mutate("cancel")}>
              {t("report.cancel")}
            </Button>
          )}
        </Group>
      </Alert>
    );
  }
  if (state === "cancelled" || state === "failed") {
    return (
      <Alert color={state === "failed" ? "red" : "yellow"} title={t(`reading.${state}`)}>
        <Group justify="space-between">
          <Text size="sm">{reason ? note(reason) : ""}</Text>
          {predicts && (
            <Button size="xs" loading={reading.isPending} onClick={() => reading.mutate("resume")}>
              {t("report.resume")}
            </Button>
          )}
        </Group>
      </Alert>
    );
  }
  return study.reading.state === "done" || study.reading.state === "refused" ? null : <ReadingBadge reading={study.reading} />;
}
