import { json, request, studyAddress } from "./http";
import type {
  Activity, GuidelineOptions, Plane, QuarantineEntry, StudyDetail, SystemView, Told, UrinaryStoneReport,
} from "./types";

export const api = {
  system: () => request<SystemView>("/api/v1/system"),
  activity: () => request<Activity>("/api/v1/activity"),
  quarantine: () => request<QuarantineEntry[]>("/api/v1/quarantine"),
  study: (uid: string) => request<StudyDetail>(studyAddress(uid)),
  report: (uid: string) => request<UrinaryStoneReport>(`${studyAddress(uid)}/report`),
  cancelReading: (uid: string) => request<void>(`${studyAddress(uid)}/reading/cancel`, json("POST", {})),
  resumeReading: (uid: string) => request<void>(`${studyAddress(uid)}/reading/resume`, json("POST", {})),
  /** The options of guidelines, weighed again with what is told of the patient. Facts have names of their own: nothing of the patient's identity stands in the address. */
  options: (uid: string, told: Told) => {
    const facts = Object.entries(told).map(([fact, so]) => [fact, String(so)]);
    return request<GuidelineOptions>(`${studyAddress(uid)}/report/options?${new URLSearchParams(facts)}`);
  },
  /** The image of a stone; stones are numbered from 1, their images from 0. */
  keyImageAddress: (uid: string, stone: number, version: number, plane: Plane) =>
    `${studyAddress(uid)}/report/versions/${version}/key-images/${stone - 1}.png?plane=${plane}`,
};
