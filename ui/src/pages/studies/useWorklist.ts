import {
  type InfiniteData, keepPreviousData, useInfiniteQuery, useMutation, useQuery, useQueryClient,
} from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";

import { isPending } from "../../api/hooks";
import { useLive, useLiveState } from "../../api/live";
import type { NewSavedFilter, PageOfStudySummary, Priority, StudyChange, StudySummary, WorkFilter, WorkSort } from "../../api/types";
import { worklistApi } from "../../api/worklist";
import type { Typed } from "./typed";

/** Rows of a page. */
const pageRows = 100;
/** How often the list is asked for while the server does not tell changes. */
const silentInterval = 5_000;
/** More pages are not asked for again by themselves. */
const fewPages = 2;

const root = "worklist";

/** What is told of a row, by an event or by the row itself. */
type Told = Omit<StudyChange, "at" | "arrived">;

/** Puts what changed into a row; where nothing did, the row stays the very same. */
function patched(row: StudySummary, change: Told): StudySummary {
  if (row.study_uid !== change.study_uid) return row;
  const { modalities, series_count, instance_count, body_parts, contrast, priority, workflow, reading } = change;
  return { ...row, modalities, series_count, instance_count, body_parts, contrast, priority, workflow, reading };
}

function patchedPages(
  data: InfiniteData<PageOfStudySummary> | undefined,
  change: Told,
): InfiniteData<PageOfStudySummary> | undefined {
  if (!data?.pages.some((page) => page.items.some((row) => row.study_uid === change.study_uid))) return data;
  return { ...data, pages: data.pages.map((page) => ({ ...page, items: page.items.map((row) => patched(row, change)) })) };
}

/** The list as it lives: rows change where they stand, and what is new waits until somebody wants to see it. */
export function useWorklist(typed: Typed, filter: WorkFilter, sort: WorkSort) {
  const client = useQueryClient();
  const live = useLiveState();
  const [fresh, setFresh] = useState<ReadonlySet<string>>(new Set());
  const search = useMemo(
    () => ({
      ...(typed.text.trim() && { text: typed.text.trim() }),
      ...(typed.name.trim() && { name: typed.name.trim() }),
      ...(typed.patientId.trim() && { patient_id: typed.patientId.trim() }),
      filter,
      sort,
      limit: pageRows,
    }),
    [typed, filter, sort],
  );
  const key = [root, search];
  const query = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam }) => worklistApi.search({ ...search, ...(pageParam && { after: pageParam }) }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
    refetchOnWindowFocus: false,
    refetchInterval: ({ state: { data } }) => (live === "on" || (data?.pages.length ?? 0) > fewPages ? false : silentInterval),
  });
  const rows = useMemo(() => {
    const seen = new Set<string>();
    // A row whose place changed meanwhile may come on two pages.
    return (query.data?.pages ?? []).flatMap((page) => page.items).filter(({ study_uid }) => !seen.has(study_uid) && seen.add(study_uid));
  }, [query.data]);

  const handlers = useMemo(
    () => ({
      changed: (change: StudyChange) => {
        const known = client
          .getQueriesData<InfiniteData<PageOfStudySummary>>({ queryKey: [root] })
          .some(([, data]) => data?.pages.some((page) => page.items.some((row) => row.study_uid === change.study_uid)));
        client.setQueriesData<InfiniteData<PageOfStudySummary>>({ queryKey: [root] }, (data) => patchedPages(data, change));
        void client.invalidateQueries({ queryKey: ["study", change.study_uid] });
        if (!isPending(change.reading)) void client.invalidateQueries({ queryKey: ["report", change.study_uid] });
        if (!known && change.arrived) setFresh((before) => (before.has(change.study_uid) ? before : new Set(before).add(change.study_uid)));
      },
      missed: () => void client.invalidateQueries({ queryKey: [root] }),
    }),
    [client],
  );
  useLive(handlers);

  /** The list again, from its top. */
  async function refresh() {
    setFresh(new Set());
    await client.resetQueries({ queryKey: key });
  }
  const arrived = [...fresh].filter((uid) => !rows.some((row) => row.study_uid === uid)).length;
  // Where no row stands, none moves away under somebody's eyes: what is new appears.
  const appears = arrived > 0 && query.data !== undefined && rows.length === 0;
  useEffect(() => {
    if (!appears) return;
    setFresh(new Set());
    void client.invalidateQueries({ queryKey: [root] });
  }, [appears, client]);
  return { query, rows, live, arrived, refresh };
}

export function useAcquisition(uid: string | null) {
  return useQuery({
    queryKey: ["acquisition", uid],
    queryFn: () => worklistApi.acquisition(uid ?? ""),
    enabled: uid !== null,
    staleTime: 60_000,
  });
}

export function usePriority() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ uid, priority }: { uid: string; priority: Priority }) => worklistApi.setPriority(uid, priority),
    onSuccess: (row) => {
      client.setQueriesData<InfiniteData<PageOfStudySummary>>({ queryKey: [root] }, (data) => patchedPages(data, row));
      void client.invalidateQueries({ queryKey: ["study", row.study_uid] });
    },
  });
}

export function useFilters() {
  return useQuery({ queryKey: ["worklist-filters"], queryFn: worklistApi.filters, staleTime: 60_000 });
}

export function useFilterActs() {
  const client = useQueryClient();
  const onSettled = () => client.invalidateQueries({ queryKey: ["worklist-filters"] });
  return {
    save: useMutation({ mutationFn: (filter: NewSavedFilter) => worklistApi.saveFilter(filter), onSettled }),
    remove: useMutation({ mutationFn: (id: number) => worklistApi.removeFilter(id), onSettled }),
  };
}
