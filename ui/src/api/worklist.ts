import { json, request, studyAddress } from "./http";
import type { Acquisition, NewSavedFilter, PageOfStudySummary, Priority, SavedFilter, StudySearch, StudySummary } from "./types";

export const worklistApi = {
  /** Names are searched in the body, never in the address. */
  search: (search: Partial<StudySearch>) => request<PageOfStudySummary>("/api/v1/studies/search", json("POST", search)),
  setPriority: (uid: string, priority: Priority) =>
    request<StudySummary>(`${studyAddress(uid)}/priority`, json("PUT", { priority })),
  acquisition: (uid: string) => request<Acquisition[]>(`${studyAddress(uid)}/acquisition`),
  filters: () => request<SavedFilter[]>("/api/v1/worklist/filters"),
  saveFilter: (filter: NewSavedFilter) => request<SavedFilter>("/api/v1/worklist/filters", json("POST", filter)),
  removeFilter: (id: number) => request<void>(`/api/v1/worklist/filters/${id}`, { method: "DELETE" }),
};
