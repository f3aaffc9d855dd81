import { keepPreviousData, useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { json, request } from "./http";
import type {
  EchoView, ForwardState, HealthFinding, JobsView, ModelView, NewRetrieval, NodeView, PageOfForwardView, PeerMatches, PeerSearch, Retrieval,
  SamplesView, StorageView,
} from "./types";

const peer = (title: string) => `/api/v1/peers/${encodeURIComponent(title)}`;
const post = <T>(path: string, body: unknown = {}) => request<T>(path, json("POST", body));

export const operationsApi = {
  jobs: () => request<JobsView>("/api/v1/operations/jobs"),
  storage: () => request<StorageView>("/api/v1/operations/storage"),
  health: () => request<HealthFinding[]>("/api/v1/operations/health"),
  models: () => request<ModelView[]>("/api/v1/models"),
  node: () => request<NodeView>("/api/v1/node"),
  forwards: (state: ForwardState | "", after: string) =>
    request<PageOfForwardView>(`/api/v1/operations/forwards?${new URLSearchParams({ ...(state && { state }), ...(after && { after }) })}`),
  retryForwards: () => post<{ due: number }>("/api/v1/operations/forwards/retry"),
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
export const useStorage = () => useQuery({ queryKey: ["storage"], queryFn: operationsApi.storage, refetchInterval: 30_000 });
export const useHealth = () => useQuery({ queryKey: ["health"], queryFn: operationsApi.health, staleTime: 60_000 });
export const useModels = () => useQuery({ queryKey: ["models"], queryFn: operationsApi.models, staleTime: 60_000 });
export const useNode = () => useQuery({ queryKey: ["node"], queryFn: operationsApi.node, staleTime: 60_000 });

export function useForwards(state: ForwardState | "") {
  return useInfiniteQuery({
    queryKey: ["forwards", state],
    queryFn: ({ pageParam }) => operationsApi.forwards(state, pageParam),
    initialPageParam: "",
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
    refetchInterval: ({ state: { data } }) => ((data?.pages.length ?? 0) > 2 ? false : 5_000),
  });
}

export function useRetryForwards() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: operationsApi.retryForwards,
    onSettled: () => client.invalidateQueries({ queryKey: ["forwards"] }),
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
