import { Alert, Anchor, Badge, Button, Center, Group, Loader, Paper, TextInput, Title, Tooltip } from "@mantine/core";
import { useDebouncedValue, useDocumentTitle, useHotkeys } from "@mantine/hooks";
import { Suspense, useCallback, useMemo, useRef } from "react";
import { useTranslation } from "react-i18next";
import { Link, useNavigate } from "react-router";

import { useQuarantine, useSystem } from "../../api/hooks";
import type { WorkFilter, WorkSort } from "../../api/types";
import { useMay } from "../../app/session";
import { useAddress } from "../../app/useAddress";
import { useProblem } from "../../components/access";
import { whenOpened } from "../../i18n";
import { EmptyList } from "./EmptyList";
import { FilterBar } from "./FilterBar";
import { QuarantineNotice } from "./QuarantineNotice";
import { StudyGrid } from "./StudyGrid";
import { setTyped, useTyped } from "./typed";
import { UploadArea } from "./upload/UploadArea";
import { countFilters, readView, writeView } from "./view";
import { useWorklist } from "./useWorklist";

const DetailPane = whenOpened(() => import("./detail/DetailPane").then((pane) => ({ default: pane.DetailPane })));

/** The worklist: every study that the account may see, as it comes and as it is read. */
export function StudiesPage() {
  const { t } = useTranslation();
  const problem = useProblem();
  const navigate = useNavigate();
  const stores = useMay("store");
  const [address, changeAddress] = useAddress();
  const view = useMemo(() => readView(address), [address]);
  const typed = useTyped();
  const [wanted] = useDebouncedValue(typed, 200);
  const search = useRef<HTMLInputElement>(null);
  const grid = useRef<HTMLDivElement>(null);
  useHotkeys([["/", () => search.current?.focus()]]);
  useDocumentTitle(`${t("studies.title")} · Hilum`);
  const { query, rows, live, arrived, refresh } = useWorklist(wanted, view.filter, view.sort);
  const system = useSystem();
  const quarantine = useQuarantine();
  const change = useCallback(
    (next: Partial<ReturnType<typeof readView>>) => changeAddress((before) => writeView({ ...readView(before), ...next })),
    [changeAddress],
  );
  const setFilter = useCallback((filter: WorkFilter) => change({ filter, study: null }), [change]);
  const setSort = useCallback((sort: WorkSort) => change({ sort }), [change]);
  const select = useCallback((study: string | null) => change({ study }), [change]);
  const open = useCallback((uid: string) => void navigate(`/studies/${uid}/view`), [navigate]);
  const report = useCallback((uid: string) => void navigate(`/studies/${uid}`), [navigate]);
  const searched = [wanted.text, wanted.name, wanted.patientId].some((text) => text.trim() !== "");
  const filtered = searched || countFilters(view.filter) > 0;
  const clear = () => {
    setTyped({ text: "", name: "", patientId: "" });
    setFilter({});
  };
  const selected = rows.find((row) => row.study_uid === view.study) ?? null;
  return (
    <UploadArea enabled={stores} beside={<Anchor component={Link} to="/files" size="xs" ml="auto">{t("upload.without")}</Anchor>}>
      <Group justify="space-between" mb="sm" gap="sm" wrap="nowrap">
        <Group gap="sm" wrap="nowrap">
          <Title order={1} size="h3">{t("studies.title")}</Title>
          <Tooltip label={t(`worklist.live.${live}Help`)} multiline w={260}>
            <Badge variant="dot" color={live === "on" ? "hilum" : "gray"} role="status">
              {t(`worklist.live.${live}`)}
            </Badge>
          </Tooltip>
          {system.data?.model?.synthetic_trained && (
            <Tooltip label={t("studies.syntheticModel", { name: system.data.model.name })} multiline w={320}>
              <Badge variant="light" color="yellow" tabIndex={0}>{t("worklist.syntheticModel")}</Badge>
            </Tooltip>
          )}
        </Group>
        <TextInput
          ref={search}
          w={{ base: 200, sm: 320 }}
          placeholder={t("studies.search")}
          aria-label={t("studies.search")}
          aria-keyshortcuts="/"
          value={typed.text}
          onChange={(event) => setTyped({ text: event.currentTarget.value })}
          onKeyDown={(event) => {
            if (event.key === "Escape") setTyped({ text: "" });
            if (event.key === "ArrowDown" || event.key === "Enter") grid.current?.focus();
          }}
          rightSection={<Badge variant="default" radius="sm" size="sm" aria-hidden>/</Badge>}
        />
      </Group>
      {system.data && system.data.model === null && (
        <Alert color="yellow" mb="sm" p="xs" title={t("studies.noModel")}>
          {t("studies.noModelHelp")}
        </Alert>
      )}
      <QuarantineNotice entries={quarantine.data ?? []} />
      <FilterBar filter={view.filter} onFilter={setFilter} typed={typed} onClear={clear} filtered={filtered} />
      <div className="worklist">
        <Paper withBorder className="worklist-list">
          {arrived > 0 && (
            <Center p={6} className="worklist-news">
              <Button size="compact-sm" onClick={() => void refresh()}>
                {t("worklist.arrived", { count: arrived })}
              </Button>
            </Center>
          )}
          {query.isPending && (
            <Center py={60}>
              <Loader aria-label={t("studies.loading")} />
            </Center>
          )}
          {query.isError && (
            <Alert color="red" title={t("studies.failed")} role="alert">
              {problem(query.error, "view")}
            </Alert>
          )}
          {query.isSuccess && rows.length === 0 && (
            <EmptyList searched={wanted.text.trim()} filtered={filtered} onClear={clear} demo={system.data?.demo ?? false} stores={stores} />
          )}
          {rows.length > 0 && (
            <StudyGrid
              ref={grid}
              rows={rows}
              sort={view.sort}
              onSort={setSort}
              selected={view.study}
              onSelect={select}
              onOpen={open}
              onReport={report}
              more={query.hasNextPage}
              loadingMore={query.isFetchingNextPage}
              moreFailed={query.isFetchNextPageError}
              onMore={() => void query.fetchNextPage()}
            />
          )}
        </Paper>
        {selected && (
          <Suspense fallback={<Paper withBorder className="worklist-detail" />}>
            <DetailPane key={selected.study_uid} study={selected} onClose={() => select(null)} onOpen={open} onReport={report} />
          </Suspense>
        )}
      </div>
    </UploadArea>
  );
}
