import { json, request } from "./http";
import type {
  Activity, GuidelineOptions, PageOfStudySummary, Plane, QuarantineEntry, StudyDetail, SystemView, Told, UrinaryStoneReport,
} from "./types";

function post<T>(path: string, body: unknown): Promise<T> {
  return request(path, json("POST", body));
}

const study = (uid: string) => `/api/v1/studies/${encodeURIComponent(uid)}`;

export const api = {
  system: () => request<SystemView>("/api/v1/system"),
  activity: () => request<Activity>("/api/v1/activity"),
  quarantine: () => request<QuarantineEntry[]>("/api/v1/quarantine"),
  /** Names are searched in the body, never in the address. */
  searchStudies: (search: { text?: string; after?: string; limit?: number }) =>
    post<PageOfStudySummary>("/api/v1/studies/search", search),
  study: (uid: string) => request<StudyDetail>(study(uid)),
  report: (uid: string) => request<UrinaryStoneReport>(`${study(uid)}/report`),
  cancelReading: (uid: string) => post<void>(`${study(uid)}/reading/cancel`, {}),
  resumeReading: (uid: string) => post<void>(`${study(uid)}/reading/resume`, {}),
  /** The options of guidelines, weighed again with what is told of the patient. Facts have names of their own: nothing of the patient's identity stands in the address. */
  options: (uid: string, told: Told) => {
    const facts = Object.entries(told).map(([fact, so]) => [fact, String(so)]);
    return request<GuidelineOptions>(`${study(uid)}/report/options?${new URLSearchParams(facts)}`);
  },
  /** The image of a stone; stones are numbered from 1, their images from 0. */
  keyImageAddress: (uid: string, stone: number, version: number, plane: Plane) =>
    `${study(uid)}/report/versions/${version}/key-images/${stone - 1}.png?plane=${plane}`,
};
