import "./viewer.css";

import { Alert, Anchor, Button, Center, FileButton, Group, Progress, Stack, Text, Title, UnstyledButton } from "@mantine/core";
import { useDisclosure, useDocumentTitle } from "@mantine/hooks";
import { type DragEvent, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { LanguageAndColours } from "../../app/LanguageAndColours";
import type { Action } from "../../viewer/hotkeys";
import { closeFiles, type LocalFiles, openFiles } from "../../viewer/local";
import { looking, measuring, panesOf } from "../../viewer/state";
import type { Viewer } from "../../viewer/Viewer";
import { Icon } from "./icons";
import { KeysDialog } from "./KeysDialog";
import { Trouble } from "./Notices";
import { PaneView } from "./PaneView";
import { Toolbar } from "./Toolbar";
import { useDescribe } from "./useDescribe";
import { useHotkeysKept, useKeys } from "./useKeys";
import { useViewer, useViewerState } from "./useViewer";

const tools = [...looking, ...measuring];
const allowed = (action: Action) => !["predict", "brush", "eraser", "link"].includes(action);

/** Files of this computer, looked at without being sent anywhere. */
export default function LocalPage() {
  const { t } = useTranslation();
  useDocumentTitle(`${t("viewer.local.title")} · Hilum`);
  const viewer = useViewer();
  return viewer && <Files viewer={viewer} />;
}

function Files({ viewer }: { viewer: Viewer }) {
  const { t } = useTranslation();
  const state = useViewerState(viewer, "series", "layout");
  const [files, setFiles] = useState<LocalFiles | null>(null);
  const [opening, setOpening] = useState<{ done: number; of: number } | null>(null);
  const [hotkeys, setHotkeys] = useHotkeysKept();
  const [helping, help] = useDisclosure(false);
  const folder = useRef<HTMLInputElement>(null);
  const made = useRef(0);
  useKeys(viewer, hotkeys, allowed, useMemo(() => ({ help: help.open }), [help.open]));
  useDescribe(viewer);
  useEffect(() => closeFiles, []);
  useEffect(() => {
    // Nobody keeps what is measured here: it goes with the page.
    viewer.onMeasured = ({ kind, points }) => {
      const { series, measurements } = viewer.state();
      made.current -= 1;
      if (series) viewer.setMeasurements([...measurements, { id: made.current, seriesUid: series.seriesUid, kind, points, by: "", own: true }]);
    };
  }, [viewer]);

  const open = useCallback(
    async (chosen: File[]) => {
      if (chosen.length === 0) return;
      setOpening({ done: 0, of: chosen.length });
      const opened = await openFiles(chosen, (done) => setOpening({ done, of: chosen.length }));
      setOpening(null);
      setFiles(opened);
      const [largest] = [...opened.series].sort((a, b) => b.slices.length - a.slices.length);
      if (largest) void viewer.show(largest, "stack");
    },
    [viewer],
  );
  const shown = files?.series.find(({ seriesUid }) => seriesUid === state.series?.seriesUid);
  const choose = (
    <Group gap="xs">
      <FileButton multiple onChange={(chosen) => void open(chosen)}>
        {(props) => (
          <Button size="xs" {...props}>
            {t("viewer.local.files")}
          </Button>
        )}
      </FileButton>
      <Button size="xs" variant="default" onClick={() => folder.current?.click()}>
        {t("viewer.local.folder")}
      </Button>
      <input
        ref={folder}
        type="file"
        hidden
        aria-label={t("viewer.local.folder")}
        {...{ webkitdirectory: "" }}
        onChange={(event) => void open([...(event.currentTarget.files ?? [])])}
      />
    </Group>
  );
  return (
    <div
      className="viewer"
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event: DragEvent) => {
        event.preventDefault();
        void open([...event.dataTransfer.files]);
      }}
    >
      <header className="viewer-bar">
        <Group justify="space-between" gap="sm">
          <Group gap="sm">
            <Anchor component={Link} to="/" aria-label={t("report.back")}>
              <Icon name="back" />
            </Anchor>
            <Title order={1} size="h5">
              {t("viewer.local.title")}
            </Title>
            <Text size="sm" c="dimmed">
              {t("viewer.local.stays")}
            </Text>
          </Group>
          <Group gap="sm">
            {choose}
            <LanguageAndColours />
          </Group>
        </Group>
      </header>
      <div>
        {state.series && <Toolbar viewer={viewer} hotkeys={hotkeys} tools={state.series.grid ? tools : looking} onHelp={help.open} />}
        <Trouble viewer={viewer} />
        {state.series && !state.series.regular && (
          <Alert color="orange" radius={0} py="xs" title={t("viewer.refused.title")}>
            {t("viewer.refused.text")}
          </Alert>
        )}
        {files !== null && files.undecoded > 0 && (
          <Alert color="orange" radius={0} py="xs">
            {t("viewer.local.undecoded", { count: files.undecoded })}
          </Alert>
        )}
        {opening && <Progress radius={0} size="sm" animated value={(100 * opening.done) / opening.of} aria-label={t("viewer.local.opening", opening)} />}
      </div>
      <main className="viewer-body">
        <nav className="viewer-strip" aria-label={t("viewer.series")}>
          <Stack gap={8}>
            {files?.series.map((one) => (
              <UnstyledButton
                key={one.seriesUid}
                className="series-tile"
                aria-pressed={one.seriesUid === state.series?.seriesUid}
                onClick={() => void viewer.show(one, "stack")}
              >
                <Text size="xs" fw={600} lineClamp={2}>
                  {one.description || t("viewer.unnamedSeries", { number: "?" })}
                </Text>
                <Text size="xs" c="dimmed">
                  {t("viewer.seriesImages", { modality: one.modality, count: one.slices.length })}
                </Text>
              </UnstyledButton>
            ))}
          </Stack>
        </nav>
        {state.series ? (
          <div className="panes" data-layout={state.layout}>
            {panesOf[state.layout].map((pane) => (
              <PaneView key={pane} viewer={viewer} name={pane} patient={shown ? [shown.patient, shown.date].filter(Boolean) : []} />
            ))}
          </div>
        ) : (
          <Center p="md">
            <Stack maw={520} align="center">
              <Text ta="center">{t(files && files.undecoded === 0 ? "viewer.local.nothing" : "viewer.local.text", { count: files?.others ?? 0 })}</Text>
            </Stack>
          </Center>
        )}
      </main>
      <KeysDialog
        opened={helping}
        hotkeys={hotkeys}
        onClose={help.close}
        onChange={setHotkeys}
      />
    </div>
  );
}
