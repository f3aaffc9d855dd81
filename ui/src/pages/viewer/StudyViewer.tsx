import { Alert, Anchor, Badge, Group, Progress, Text, Title } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { notifications } from "@mantine/notifications";
import { useCallback, useDeferredValue, useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { useReport } from "../../api/hooks";
import { useReview } from "../../api/reviewHooks";
import type { StudyDetail } from "../../api/types";
import { useCorrection, useMask, useMeasurements, useMeasuring } from "../../api/viewer";
import { AccountMenu } from "../../app/AccountMenu";
import { LanguageAndColours } from "../../app/LanguageAndColours";
import { useMay } from "../../app/session";
import { useProblem } from "../../components/access";
import { Refusal } from "../../components/Refusal";
import { patientName, useNote, useSex } from "../../components/text";
import { choice, seriesOf } from "../../viewer/choice";
import type { Action } from "../../viewer/hotkeys";
import type { Unlinked } from "../../viewer/link";
import { looking, measuring, panesOf, type Tool } from "../../viewer/state";
import { runsIn, stonesIn } from "../../viewer/stones";
import type { Viewer } from "../../viewer/Viewer";
import { AddressKeeper, lookedAt } from "./address";
import { Icon } from "./icons";
import { KeysDialog } from "./KeysDialog";
import { Trouble } from "./Notices";
import { PaneView } from "./PaneView";
import { PredictButton } from "./PredictButton";
import { PriorChoice } from "./PriorChoice";
import { PriorView } from "./PriorView";
import { SeriesStrip } from "./SeriesStrip";
import { SidePanel } from "./SidePanel";
import { Toolbar } from "./Toolbar";
import { useHotkeysKept, useKeys } from "./useKeys";
import { useDescribe } from "./useDescribe";
import { useViewedSeries } from "./useViewedSeries";
import { useViewerState } from "./useViewer";

const painting: readonly Tool[] = ["brush", "eraser"];

export function StudyViewer({ study, viewer }: { study: StudyDetail; viewer: Viewer }) {
  const { t, i18n } = useTranslation();
  const note = useNote();
  const problem = useProblem();
  const studyUid = study.study_uid;
  const state = useViewerState(viewer, "series", "layout", "loading");
  // What the address says counts once; afterwards it follows.
  const asked = useRef(lookedAt(new URLSearchParams(window.location.search)));
  const judges = useMay("review");

  const current = useReport(studyUid, study.reading);
  const report = current.data ?? null;
  const series = useMemo(() => seriesOf(study), [study]);
  const best = report?.study.series?.series_uid;
  const [chosen, setChosen] = useState(asked.current.series);
  const shown = choice(series, chosen, best);
  const regular = shown?.spacing_mm != null;
  const images = useViewedSeries(studyUid, shown);

  // Hanging: with findings to look at, three planes at the first of them; else the images one by one.
  const hung = useRef(false);
  const loaded = images.data;
  const waits = current.isPending;
  useEffect(() => {
    if (!loaded || waits) return;
    const { layout, image, window } = asked.current;
    const before = viewer.state();
    // More slices of the same series came, or its geometry is known now: who looks at an image goes on looking at it.
    const again = before.series?.seriesUid === loaded.seriesUid ? (before.layers.stack ?? before.layers.axial)?.at : undefined;
    const first = !hung.current && again === undefined;
    const findings = (report?.stones.length ?? 0) > 0 && loaded.seriesUid === best;
    if (first && window) viewer.setWindow(window);
    void viewer.show(loaded, (first ? layout : null) ?? (first && findings ? "mpr" : before.layout), first ? (image ?? undefined) : again);
    // What a later reading finds does not move what is looked at.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [viewer, loaded, waits]);

  const mask = useMask(studyUid, report && report.stones.length > 0 ? report.version : null);
  const map = mask.data ?? null;
  useEffect(() => {
    const { series: viewed } = viewer.state();
    if (!viewed || viewed !== loaded) return;
    const stones = map && viewed.grid && map.series_uid === viewed.seriesUid ? stonesIn(viewed.grid, map) : [];
    viewer.setStones(stones);
    if (hung.current || stones.length === 0) return;
    hung.current = true;
    const { finding, image } = asked.current;
    const to = stones.find((stone) => stone.number === finding) ?? (image === null ? stones[0] : undefined);
    if (to) viewer.showFinding(to.number);
  }, [viewer, loaded, map, state.series]);

  const review = useReview(studyUid, report?.version ?? 0, report !== null);
  const said = review.data?.findings;
  useEffect(() => {
    viewer.set({ rejected: new Set(said?.flatMap(({ number, verdict }) => (verdict?.verdict === "rejected" ? [number] : [])) ?? []) });
  }, [viewer, said]);

  const correct = useCorrection(studyUid, report?.version ?? 0);
  const correctOne = correct.mutate;
  const corrects = judges && review.data?.open === true && review.data.state !== "signed" && map !== null;

  const kept = useMeasurements(studyUid);
  const { add, remove } = useMeasuring(studyUid);
  const [addOne, removeOne] = [add.mutate, remove.mutate];
  const showFinding = useCallback((number: number) => viewer.showFinding(number), [viewer]);
  useEffect(() => {
    const measurements = kept.data ?? [];
    viewer.setMeasurements(measurements.map(({ id, series_uid, kind, points, by, own }) => ({ id, seriesUid: series_uid, kind, points, by, own })));
    // A series that is shown anew begins without: they may have come before it.
  }, [viewer, kept.data, state.series]);
  useEffect(() => {
    viewer.onMeasured = (draft) => {
      const { series: viewed } = viewer.state();
      if (!viewed) return;
      const pane = viewer.pane(draft.pane);
      const slice = pane?.axis === 2 ? viewed.slices[pane.layer] : undefined;
      addOne({
        series_uid: viewed.seriesUid, kind: draft.kind, points: draft.points,
        ...(slice && { sop_uid: slice.sopUid }),
        ...(viewed.frameOfReference && { frame_of_reference_uid: viewed.frameOfReference }),
      });
    };
  }, [viewer, addOne]);
  useDescribe(viewer);

  const [hotkeys, setHotkeys] = useHotkeysKept();
  const [prior, setPrior] = useState<string | null>(null);
  const beside = prior !== null;
  const [linked, setLinked] = useState(false);
  const toggleLink = useCallback(() => setLinked((before) => !before), []);
  const onUnlinked = useCallback(
    (why: Unlinked) => {
      setLinked(false);
      notifications.show({ message: t(`viewer.prior.${why}`), closeButtonProps: { "aria-label": t("form.close") } });
    },
    [t],
  );
  const [helping, help] = useDisclosure(false);
  const canMeasure = judges && state.series?.grid != null;
  const tools = useMemo(() => [...looking, ...(canMeasure ? measuring : []), ...(corrects ? painting : [])], [canMeasure, corrects]);
  const allowed = useCallback(
    (action: Action) => {
      if (action === "link") return beside;
      const isTool = [...looking, ...measuring, ...painting].includes(action as Tool);
      return !isTool || tools.includes(action as Tool);
    },
    [tools, beside],
  );
  const acts = useMemo(
    () => ({ predict: () => document.querySelector<HTMLButtonElement>('[data-action="predict"]')?.click(), link: toggleLink, help: help.open }),
    [toggleLink, help.open],
  );
  useKeys(viewer, hotkeys, allowed, acts);

  const showPrior = (uid: string | null) => {
    setLinked(false);
    setPrior(uid);
  };
  const { patient } = study;
  const name = patientName(patient, i18n.language);
  const sex = useSex()(patient);
  const told = [name.main, patient.id, [sex, patient.birth_date].filter(Boolean).join(" · "), study.study_date].filter(Boolean).join("\n");
  const lines = useMemo(() => told.split("\n").filter(Boolean), [told]);
  // Images come first: what stands beside them is drawn when there is time, and never keeps one from being shown.
  const aside = useDeferredValue(useMemo(
    () => ({
      report, measurements: kept.data ?? [], busy: correct.isPending,
      onCorrect: (number: number | null) => {
        const { series: viewed, stones } = viewer.state();
        const stone = stones.find((one) => one.number === number);
        if (!map || !viewed?.grid || !review.data) return;
        if (stone) correctOne({ number: stone.number, revision: review.data.revision, runs: runsIn(map, viewed.grid, stone.voxels) });
        else viewer.setStones(stonesIn(viewed.grid, map));
      },
    }),
    [viewer, report, kept.data, correct.isPending, correctOne, map, review.data],
  ), null);
  const refused = shown && !regular && shown.geometry_findings.length > 0;
  return (
    <div className="viewer">
      <header className="viewer-bar">
        <Group justify="space-between" gap="sm" className="viewer-head">
          <Group gap="sm" className="viewer-who">
            <Anchor component={Link} to="/" aria-label={t("report.back")}>
              <Icon name="back" />
            </Anchor>
            <Title order={1} size="h5" className="viewer-name">
              {name.main || t("studies.nameless")}
            </Title>
            <Text size="sm" c="dimmed" truncate>
              {[study.description, study.study_date].filter(Boolean).join(" · ")}
            </Text>
            {study.synthetic && (
              <Badge color="grape" variant="light" flex="none">
                {t("studies.synthetic")}
              </Badge>
            )}
          </Group>
          <Group gap="sm" className="viewer-acts">
            <PriorChoice study={study} shown={prior} onShow={showPrior} />
            <PredictButton study={study} />
            <LanguageAndColours />
            <AccountMenu />
          </Group>
        </Group>
      </header>
      <div>
        <Toolbar viewer={viewer} hotkeys={hotkeys} tools={tools} {...(beside && { linked, onLink: toggleLink })} onHelp={help.open} />
        {refused && (
          <Alert color="orange" radius={0} role="alert" title={t("viewer.refused.title")} py="xs">
            {t("viewer.refused.text")} {shown.geometry_findings.map(note).join(" ")}
          </Alert>
        )}
        <Trouble viewer={viewer} />
        <Refusal text={images.isError ? problem(images.error, "view") : add.error ? problem(add.error, "review") : remove.error ? problem(remove.error, "review") : correct.error ? problem(correct.error, "review") : null} />
        {state.loading && (
          <Progress
            radius={0}
            size="sm"
            value={(100 * state.loading.done) / state.loading.of}
            aria-label={t("viewer.loading", { done: state.loading.done, of: state.loading.of })}
          />
        )}
      </div>
      <main className="viewer-body">
        <SeriesStrip studyUid={studyUid} series={series} shown={shown?.series_uid ?? null} onShow={setChosen} />
        {shown ? (
          <div className="panes" data-layout={state.layout}>
            {panesOf[state.layout].map((pane) => (
              <PaneView key={pane} viewer={viewer} name={pane} patient={lines} />
            ))}
            {prior !== null && <PriorView key={prior} studyUid={prior} beside={viewer} linked={linked} onUnlinked={onUnlinked} />}
          </div>
        ) : (
          <Alert m="md" color="gray" title={t("viewer.empty.title")}>
            {t("viewer.empty.text")}
          </Alert>
        )}
        {aside ? (
          <SidePanel viewer={viewer} studyUid={studyUid} {...aside} onShowFinding={showFinding} onRemoveMeasurement={removeOne} />
        ) : (
          <aside className="viewer-side" aria-label={t("viewer.side")} />
        )}
      </main>
      <AddressKeeper viewer={viewer} />
      <KeysDialog
        opened={helping}
        hotkeys={hotkeys}
        onClose={help.close}
        onChange={setHotkeys}
      />
    </div>
  );
}
