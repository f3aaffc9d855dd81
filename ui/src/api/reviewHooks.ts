import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { beforehand } from "./hooks";
import { ApiError } from "./http";
import { type Review, reviewApi } from "./review";

/** Somebody else's verdicts are seen after so long. */
const beside = 10_000;

/** Every version of a study's report, the last one first; null while there is none. */
export function useVersions(uid: string, enabled = true) {
  return useQuery({
    queryKey: ["versions", uid],
    queryFn: () =>
      reviewApi.versions(uid).catch((error: unknown) => {
        if (error instanceof ApiError && error.status === 404) return null;
        throw error;
      }),
    enabled,
    refetchInterval: beside,
  });
}

/** One version of a report, which never changes. */
export function useReportVersion(uid: string, version: number | null) {
  return useQuery({
    queryKey: ["reportVersion", uid, version],
    queryFn: () => reviewApi.report(uid, version ?? 0),
    enabled: version !== null,
    staleTime: Infinity,
  });
}

export const reviewOf = (uid: string, version: number) =>
  queryOptions({ queryKey: ["review", uid, version], queryFn: () => reviewApi.review(uid, version), staleTime: beforehand });

export function useReview(uid: string, version: number, enabled = true) {
  return useQuery({ ...reviewOf(uid, version), enabled, refetchInterval: beside });
}

/** A change of a review. What the server makes of it is shown at once; where somebody was faster, theirs is. */
export function useReviewChange<Input>(uid: string, version: number, act: (input: Input) => Promise<Review>) {
  const client = useQueryClient();
  const key = ["review", uid, version];
  return useMutation({
    mutationFn: act,
    onSuccess: (review) => client.setQueryData(key, review),
    onError: () => client.invalidateQueries({ queryKey: key }),
  });
}

export function useQuickTexts(enabled: boolean) {
  return useQuery({ queryKey: ["quickTexts"], queryFn: reviewApi.quickTexts, enabled });
}

export function useAgreement() {
  return useQuery({ queryKey: ["agreement"], queryFn: reviewApi.agreement });
}
