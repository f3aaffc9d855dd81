import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { accessApi, type AuditSearch, sessionApi } from "./access";

export function useAccounts() {
  return useQuery({ queryKey: ["accounts"], queryFn: accessApi.accounts, refetchInterval: 30_000 });
}

/** The institutions whose accounts the caller manages. */
export function useInstitutions() {
  return useQuery({ queryKey: ["institutions"], queryFn: accessApi.institutions });
}

export function useTokens() {
  return useQuery({ queryKey: ["tokens"], queryFn: accessApi.tokens });
}

/** Providers that people may sign in by; none while that is not known. */
export function useProviders() {
  return useQuery({ queryKey: ["providers"], queryFn: sessionApi.providers, staleTime: Infinity });
}

/** The identities that belong to the caller's own account. */
export function useIdentities() {
  return useQuery({ queryKey: ["identities"], queryFn: accessApi.identities });
}

/** The audit trail, newest first. */
export function useAudit(search: AuditSearch) {
  return useInfiniteQuery({
    queryKey: ["audit", search],
    queryFn: ({ pageParam }) => accessApi.audit(search, pageParam),
    initialPageParam: "",
    getNextPageParam: (page) => page.next,
  });
}

/** An act after which what is shown under `key` is asked for anew. */
export function useAct<Input, Output>(key: string, act: (input: Input) => Promise<Output>) {
  const client = useQueryClient();
  return useMutation({ mutationFn: act, onSuccess: () => client.invalidateQueries({ queryKey: [key] }) });
}
