/** Versions, reviews and signatures of reports, as crates/hilum-engine/src/review/views.rs defines them. */

import { json, request, studyAddress } from "./http";
import type { Stone, UrinaryStoneReport } from "./types";

export const sites = [
  "upper_pole", "mid_kidney", "lower_pole", "renal_pelvis", "kidney", "upj", "proximal_ureter", "mid_ureter", "distal_ureter",
  "uvj", "ureter", "bladder",
] as const;
export type Site = (typeof sites)[number];

export const sides = ["right", "left", "midline", "unknown"] as const;

export type Verdict = "accepted" | "edited" | "rejected" | "added" | "withdrawn";

/** What a physician states of a stone; what is null stays as the report has it. */
export interface StoneEdits {
  side: Stone["side"] | null;
  site: Site | null;
  largest_diameter_mm: number | null;
}

export const noEdits: StoneEdits = { side: null, site: null, largest_diameter_mm: null };

export interface VerdictView {
  verdict: Verdict;
  edits: StoneEdits;
  comment: string;
  by: string;
  at: string;
}

export interface ReviewedFinding {
  number: number;
  /** The model did not find it. */
  added: boolean;
  verdict: VerdictView | null;
  history: VerdictView[];
}

export const reportStates = ["unsigned", "after_signature", "signed", "amended", "superseded"] as const;
export type ReportState = (typeof reportStates)[number];

export interface Conclusion {
  en: string;
  ko: string;
}

export interface Review {
  version: number;
  state: ReportState;
  /** It may be judged and signed. */
  open: boolean;
  revision: number;
  findings: ReviewedFinding[];
  conclusion: Conclusion;
}

export const labelUses = ["pending", "approved", "refused"] as const;
export type LabelUse = (typeof labelUses)[number];

export interface ReportVersion {
  version: number;
  state: ReportState;
  created_at: string;
  stone_count: number | null;
  signature: {
    by: string;
    at: string;
    sha256: string;
    reviewed_version: number;
    amends: number | null;
    reason: string;
    label_use: LabelUse;
  } | null;
}

/** What is said of a finding; `revision`: of the review that was seen. */
export interface Judgement {
  revision: number;
  verdict: Verdict;
  edits: StoneEdits;
  comment: string;
}

export interface Signing {
  revision: number;
  accept_rest: boolean;
  reason: string;
  password?: string;
  code?: string;
}

/** A share with Wilson's 95 % interval. */
export interface Share {
  of: number;
  share: number | null;
  ci95: [number, number] | null;
}

export interface Agreement {
  institution: string;
  model_hash: string | null;
  /** `YYYY-MM`, UTC. */
  month: string;
  reports: number;
  findings: number;
  accepted: number;
  edited: number;
  rejected: number;
  added: number;
  unchanged: Share;
  confirmed: Share;
  found: Share;
}

export interface QuickText {
  id: number;
  language: "ko" | "en";
  title: string;
  text: string;
}

const versions = (uid: string) => `${studyAddress(uid)}/report/versions`;
const at = (uid: string, version: number) => `${versions(uid)}/${version}`;

export const reviewApi = {
  versions: (uid: string) => request<ReportVersion[]>(versions(uid)),
  report: (uid: string, version: number) => request<UrinaryStoneReport>(at(uid, version)),
  review: (uid: string, version: number) => request<Review>(`${at(uid, version)}/review`),
  judge: (uid: string, version: number, number: number, judgement: Judgement) =>
    request<Review>(`${at(uid, version)}/review/findings/${number}`, json("PUT", judgement)),
  addStone: (uid: string, version: number, stone: { revision: number; edits: StoneEdits; comment: string }) =>
    request<Review>(`${at(uid, version)}/review/findings`, json("POST", stone)),
  conclude: (uid: string, version: number, change: { revision: number; conclusion: Conclusion }) =>
    request<Review>(`${at(uid, version)}/review/conclusion`, json("PUT", change)),
  sign: (uid: string, version: number, signing: Signing) =>
    request<ReportVersion>(`${at(uid, version)}/sign`, json("POST", signing)),
  setLabelUse: (uid: string, version: number, use: LabelUse) =>
    request<ReportVersion>(`${at(uid, version)}/label-use`, json("PUT", { label_use: use })),
  agreement: () => request<Agreement[]>("/api/v1/quality/agreement"),
  quickTexts: () => request<QuickText[]>("/api/v1/quick-texts"),
  addQuickText: (text: { language: "ko" | "en"; title: string; text: string }) =>
    request<QuickText>("/api/v1/quick-texts", json("POST", text)),
  removeQuickText: (id: number) => request<void>(`/api/v1/quick-texts/${id}`, { method: "DELETE" }),
  pdfAddress: (uid: string, version: number, language: string) => `${at(uid, version)}/report.pdf?lang=${language}`,
  xlsxAddress: (uid: string, version: number) => `${at(uid, version)}/report.xlsx`,
  csvAddress: (uid: string, version: number) => `${at(uid, version)}/report.csv`,
  jsonAddress: (uid: string, version: number) => at(uid, version),
  /** The bytes whose SHA-256 the signature names. */
  signedAddress: (uid: string, version: number) => `${at(uid, version)}/signed.json`,
};
