import { keepPreviousData, queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { api } from "./client";
import { ApiError } from "./http";
import type { ReadingState, Told, UrinaryStoneReport } from "./types";

const busyInterval = 1_000;
const quietInterval = 5_000;

/** A reading that will change by itself. */
export function isPending(reading: ReadingState): boolean {
  return reading.state === "receiving" || reading.state === "queued" || reading.state === "reading";
}

export function useSystem() {
  return useQuery({ queryKey: ["system"], queryFn: api.system, refetchInterval: 15_000 });
}

export function useActivity() {
  return useQuery({
    queryKey: ["activity"],
    queryFn: api.activity,
    refetchInterval: ({ state: { data } }) =>
      data && (data.readings.length > 0 || data.imports.some((running) => running.state === "running"))
        ? busyInterval
        : quietInterval,
  });
}

export function useQuarantine() {
  return useQuery({ queryKey: ["quarantine"], queryFn: api.quarantine, refetchInterval: 10_000 });
}

/** What was asked for before its page came is not asked for again by it (ms). */
export const beforehand = 3_000;

export const studyOf = (uid: string) => queryOptions({ queryKey: ["study", uid], queryFn: () => api.study(uid), staleTime: beforehand });

export function useStudy(uid: string) {
  return useQuery({
    ...studyOf(uid),
    refetchInterval: ({ state: { data } }) => (data && isPending(data.reading) ? busyInterval : quietInterval),
  });
}

/** The study's current report, or null while there is none. */
export const reportOf = (uid: string, reading: ReadingState | undefined) =>
  queryOptions({
    queryKey: ["report", uid, reading?.state ?? "unknown"],
    queryFn: () =>
      api.report(uid).catch((error: unknown) => {
        if (error instanceof ApiError && error.status === 404) return null;
        throw error;
      }),
    staleTime: beforehand,
  });

export function useReport(uid: string, reading: ReadingState | undefined) {
  return useQuery({
    ...reportOf(uid, reading),
    enabled: reading !== undefined,
    refetchInterval: quietInterval,
    placeholderData: keepPreviousData,
  });
}

/** The options of guidelines with what is told of the patient here, and by medical records until now. */
export function useOptions(uid: string, report: UrinaryStoneReport, told: Told) {
  return useQuery({
    queryKey: ["options", uid, report.version, told],
    queryFn: () => api.options(uid, told),
    placeholderData: keepPreviousData,
  });
}

/** Cancels or resumes a study's reading. */
export function useReadingSwitch(uid: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (act: "cancel" | "resume") => (act === "cancel" ? api.cancelReading(uid) : api.resumeReading(uid)),
    onSettled: () => client.invalidateQueries(),
  });
}
