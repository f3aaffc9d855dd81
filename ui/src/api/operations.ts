import { keepPreviousData, useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { json, request } from "./http";
import type {
  EchoView, HealthFinding, JobsView, ModelView, NewRetrieval, NodeView, PageOf, PeerMatches, PeerSearch, Retrieval, SamplesView, StorageView,
} from "./types";

const peer = (title: string) => `/api/v1/peers/${encodeURIComponent(title)}`;
const post = <T>(path: string, body: unknown = {}) => request<T>(path, json("POST", body));

/** What goes out by itself: instances to peers, reports to medical records. */
export type Outgoing = "forwards" | "deliveries";

export const operationsApi = {
  jobs: () => request<JobsView>("/api/v1/operations/jobs"),
  storage: () => request<StorageView>("/api/v1/operations/storage"),
  health: () => request<HealthFinding[]>("/api/v1/operations/health"),
  models: () => request<ModelView[]>("/api/v1/models"),
  node: () => request<NodeView>("/api/v1/node"),
  /** Of a search, what is empty is not asked for. */
  outgoing: <Row>(kind: Outgoing, search: Record<string, string>) =>
    request<PageOf<Row>>(`/api/v1/operations/${kind}?${new URLSearchParams(Object.entries(search).filter(([, value]) => value !== ""))}`),
  retry: (kind: Outgoing) => post<{ due: number }>(`/api/v1/operations/${kind}/retry`),
  echo: (title: string) => post<EchoView>(`${peer(title)}/echo`),
  /** What is looked for stands in the body: an address names no patient. */
  search: (title: string, search: PeerSearch) => post<PeerMatches>(`${peer(title)}/search`, search),
  retrievals: () => request<Retrieval[]>("/api/v1/retrievals"),
  retrieve: (retrieval: NewRetrieval) => post<Retrieval>("/api/v1/retrievals", retrieval),
  cancelRetrieval: (id: number) => post<Retrieval>(`/api/v1/retrievals/${id}/cancel`),
  samples: () => request<SamplesView>("/api/v1/samples"),
  makeSamples: () => post<SamplesView>("/api/v1/samples"),
  cancelSamples: () => post<SamplesView>("/api/v1/samples/cancel"),
};

export const useJobs = () => useQuery({ queryKey: ["jobs"], queryFn: operationsApi.jobs, refetchInterval: 3_000 });
/** The server looks through its whole store for this: it is asked when somebody comes or wants it, and not again and again. */
export const useStorage = () => useQuery({ queryKey: ["storage"], queryFn: operationsApi.storage, staleTime: 60_000 });
export const useHealth = () => useQuery({ queryKey: ["health"], queryFn: operationsApi.health, staleTime: 60_000 });
export const useModels = () => useQuery({ queryKey: ["models"], queryFn: operationsApi.models, staleTime: 60_000 });
export const useNode = () => useQuery({ queryKey: ["node"], queryFn: operationsApi.node, staleTime: 60_000 });

export function useOutgoing<Row>(kind: Outgoing, search: Record<string, string>) {
  return useInfiniteQuery({
    queryKey: [kind, search],
    queryFn: ({ pageParam }) => operationsApi.outgoing<Row>(kind, { ...search, after: pageParam }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
    refetchInterval: ({ state: { data } }) => ((data?.pages.length ?? 0) > 2 ? false : 5_000),
  });
}

/** Makes all that waits or was given up due now. */
export function useRetry(kind: Outgoing) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => operationsApi.retry(kind),
    onSettled: () => client.invalidateQueries({ queryKey: [kind] }),
  });
}

export function useRetrievals() {
  return useQuery({
    queryKey: ["retrievals"],
    queryFn: operationsApi.retrievals,
    refetchInterval: ({ state: { data } }) => (data?.some((one) => one.state === "running") ? 1_000 : 10_000),
  });
}

export function useRetrieve() {
  const client = useQueryClient();
  const onSettled = () => client.invalidateQueries({ queryKey: ["retrievals"] });
  return {
    begin: useMutation({ mutationFn: (retrieval: NewRetrieval) => operationsApi.retrieve(retrieval), onSettled }),
    cancel: useMutation({ mutationFn: (id: number) => operationsApi.cancelRetrieval(id), onSettled }),
  };
}

export function useSamples(enabled: boolean) {
  return useQuery({
    queryKey: ["samples"],
    queryFn: operationsApi.samples,
    enabled,
    refetchInterval: ({ state: { data } }) => (data?.running ? 1_000 : false),
  });
}

export function useSampleActs() {
  const client = useQueryClient();
  const onSuccess = (view: SamplesView) => client.setQueryData(["samples"], view);
  return {
    make: useMutation({ mutationFn: operationsApi.makeSamples, onSuccess }),
    cancel: useMutation({ mutationFn: operationsApi.cancelSamples, onSuccess }),
  };
}
