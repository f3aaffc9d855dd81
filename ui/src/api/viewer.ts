import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import type { LabelMap } from "../viewer/stones";
import type { MeasurementKind } from "../viewer/measure";
import { beforehand } from "./hooks";
import { answer, ApiError, json, request, send, studyAddress } from "./http";
import type { Review } from "./review";
import type { ReadingState } from "./types";

/** A measurement that is kept with its study, as crates/hilum-engine/src/measurement.rs has it. */
export interface KeptMeasurement {
  id: number;
  series_uid: string;
  sop_uid: string | null;
  frame_of_reference_uid: string | null;
  kind: MeasurementKind;
  points: [number, number, number][];
  by: string;
  own: boolean;
  at: string;
}

export type NewMeasurement = Pick<KeptMeasurement, "series_uid" | "kind" | "points"> & { sop_uid?: string; frame_of_reference_uid?: string };

/** A finding's mask as somebody drew it; `revision`: of the review that was seen. */
export interface Correction {
  number: number;
  revision: number;
  runs: [number, number, number, number][];
}

/** The metadata of an instance in DICOM JSON (PS3.18 Annex F). */
export type Instance = Record<string, { vr: string; Value?: unknown[] }>;

/** Where a series is at DICOMweb. */
export const seriesAddress = (uid: string, series: string) => `/dicom-web/studies/${encodeURIComponent(uid)}/series/${encodeURIComponent(series)}`;

export const viewerApi = {
  metadata: async (uid: string, series: string) =>
    (await answer<Instance[] | undefined>(await send(`${seriesAddress(uid, series)}/metadata`, { headers: { Accept: "application/dicom+json" } }))) ?? [],
  mask: (uid: string, version: number) => request<LabelMap>(`${studyAddress(uid)}/report/versions/${version}/mask`),
  askForReading: (uid: string) => request<ReadingState>(`${studyAddress(uid)}/reading`, json("POST", {})),
  measurements: (uid: string) => request<KeptMeasurement[]>(`${studyAddress(uid)}/measurements`),
  addMeasurement: (uid: string, new_: NewMeasurement) => request<KeptMeasurement>(`${studyAddress(uid)}/measurements`, json("POST", new_)),
  removeMeasurement: (uid: string, id: number) => request<void>(`${studyAddress(uid)}/measurements/${id}`, { method: "DELETE" }),
  correctMask: (uid: string, version: number, { number, ...mask }: Correction) =>
    request<Review>(`${studyAddress(uid)}/report/versions/${version}/review/findings/${number}/mask`, json("PUT", mask)),
  thumbnailAddress: (uid: string, series: string) =>
    `${seriesAddress(uid, series)}/thumbnail?viewport=96,96`,
};

/** The metadata of a series of so many slices: asked for once, and kept until what is drawn is made of them. */
export const metadataOf = (uid: string, series: string, slices: number) =>
  queryOptions({ queryKey: ["metadata", uid, series, slices], queryFn: () => viewerApi.metadata(uid, series), staleTime: Infinity, gcTime: 10_000 });

/** The stones' voxels of a version, which never change; null where none are kept, or their series has changed since. */
export const maskOf = (uid: string, version: number) =>
  queryOptions({
    queryKey: ["mask", uid, version],
    queryFn: () =>
      viewerApi.mask(uid, version).catch((error: unknown) => {
        if (error instanceof ApiError && (error.status === 404 || error.status === 409)) return null;
        throw error;
      }),
    staleTime: Infinity,
  });

export function useMask(uid: string, version: number | null) {
  return useQuery({ ...maskOf(uid, version ?? 0), enabled: version !== null });
}

/** Asks for a reading, and hears of it at once. */
export function useAskForReading(uid: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => viewerApi.askForReading(uid),
    onSettled: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: ["study", uid] }),
        client.invalidateQueries({ queryKey: ["worklist"] }),
        client.invalidateQueries({ queryKey: ["activity"] }),
      ]),
  });
}

export const measurementsOf = (uid: string) =>
  queryOptions({ queryKey: ["measurements", uid], queryFn: () => viewerApi.measurements(uid), staleTime: beforehand });

export function useMeasurements(uid: string) {
  return useQuery({ ...measurementsOf(uid), refetchInterval: 15_000 });
}

export function useMeasuring(uid: string) {
  const client = useQueryClient();
  const onSettled = () => client.invalidateQueries({ queryKey: ["measurements", uid] });
  return {
    add: useMutation({ mutationFn: (new_: NewMeasurement) => viewerApi.addMeasurement(uid, new_), onSettled }),
    remove: useMutation({ mutationFn: (id: number) => viewerApi.removeMeasurement(uid, id), onSettled }),
  };
}

/** Keeps a corrected mask. What the server measures of it stands in the review. */
export function useCorrection(uid: string, version: number) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (correction: Correction) => viewerApi.correctMask(uid, version, correction),
    onSuccess: (review) => {
      client.setQueryData(["review", uid, version], review);
      return client.invalidateQueries({ queryKey: ["mask", uid, version] });
    },
    onError: () => client.invalidateQueries({ queryKey: ["review", uid, version] }),
  });
}
