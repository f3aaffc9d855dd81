/** The application's views, as crates/hilum-engine/src/views.rs and crates/hilum-clinical/src/report define them. */

export interface Note {
  code: string;
  text: string;
}

export interface Statement {
  code: string;
  en: string;
  ko: string;
}

export interface ModelSummary {
  name: string;
  task: string;
  synthetic_trained: boolean;
  first_line: string;
  hash: string;
  trained_at: string;
}

export interface SystemView {
  version: string;
  loopback_only: boolean;
  model: ModelSummary | null;
  zone: string;
  demo: boolean;
}

export type ReadingStatus =
  | "receiving" | "queued" | "reading" | "done" | "refused" | "not_applicable" | "no_model" | "cancelled" | "failed";

export interface ReadingState {
  state: ReadingStatus;
  progress: number;
  reason: Note | null;
  stone_present: boolean | null;
  stone_count: number | null;
  highest_score: number | null;
}

/** A patient's name in its component groups (PS3.5 6.2.1), `^` between the components. */
export interface PatientView {
  name: string;
  name_ideographic: string | null;
  name_phonetic: string | null;
  id: string;
  sex: string;
  birth_date: string;
}

export interface StudySummary {
  study_uid: string;
  patient: PatientView;
  study_date: string;
  study_time: string;
  description: string;
  modalities: string[];
  series_count: number;
  instance_count: number;
  synthetic: boolean;
  reading: ReadingState;
}

export interface SeriesSummary {
  series_uid: string;
  number: number | null;
  description: string;
  modality: string;
  plane: string | null;
  slices: number;
  spacing_mm: [number, number, number] | null;
  kernel: string | null;
  contrast: boolean | null;
  geometry_findings: Note[];
  chosen: boolean;
  why: string;
}

export interface StudyDetail extends StudySummary {
  series: SeriesSummary[];
  conflicts: Note[];
}

export interface Page<T> {
  items: T[];
  next: string | null;
}

export interface Activity {
  imports: { id: number; kind: string; done: number; total: number | null; state: "running" | "done" | "cancelled" | "failed" }[];
  readings: { study_uid: string; state: ReadingStatus; progress: number }[];
  queue_depth: number;
}

export interface QuarantineEntry {
  id: number;
  received_at: string;
  sop_uid: string;
  reason: Note;
  zone: string;
  bytes: number;
}

/** It holds the value in 95 % of cases of synthetic CT. */
export interface Interval {
  low: number;
  high: number;
}

export interface Stone {
  number: number;
  side: "right" | "left" | "midline" | "unknown";
  part: "kidney" | "ureter" | "bladder" | "unknown";
  centre_mm: [number, number, number] | null;
  site?: { site: string; probability: number } | null;
  mimic?: { statement: Statement } | null;
  skin_to_stone_mm?: number | null;
  measured_by?: "density" | "mask";
  largest_diameter_mm: number | null;
  largest_diameter_interval_mm?: Interval | null;
  axial_diameter_mm?: number | null;
  coronal_diameter_mm?: number | null;
  width_mm?: number | null;
  volume_interval_mm3?: Interval | null;
  core_hu?: { value: number; estimated: boolean } | null;
  volume_mm3: number | null;
  voxels: number;
  hu: { mean: number; max: number; sd: number };
  score: number;
  slices: { first: number; last: number; key: number; table_position_mm: number | null };
}

export interface SliceRow {
  index: number;
  instance_number: number | null;
  file_name: string;
  score: number | null;
  finding: "normal" | "abnormal" | "not_assessed";
}

/** What a physician can tell of the patient, as crates/hilum-clinical/src/guideline/condition.rs names it. */
export const toldFacts = [
  "infection", "obstruction", "uncontrolled_pain", "symptoms", "reduced_renal_function", "pregnancy", "anticoagulation",
  "solitary_kidney", "aortic_aneurysm", "unfavourable_anatomy",
] as const;
/** What scores of a kidney's stones ask for beside. */
export const toldOfKidneys = [
  "moderate_hydronephrosis", "three_calyces", "partial_staghorn", "staghorn", "calyceal_diverticulum", "abnormal_anatomy",
  "spinal_malformation",
] as const;
export type ToldFact = (typeof toldFacts)[number] | (typeof toldOfKidneys)[number];
export type Told = Partial<Record<ToldFact, boolean>>;

type Measured = "diameter_mm" | "width_mm" | "hu_mean" | "skin_to_stone_mm" | "age_years" | "stones" | "area_mm2";
export type RuleInput = ToldFact | "place" | Measured;

export type RuleInputs = Told & { place?: string } & Partial<Record<Measured, number>>;

/** One rule of a guideline, weighed for a stone. */
export interface WeighedRule {
  guideline: string;
  rule: {
    id: string;
    topic: string;
    options?: string[][];
    against?: string[];
    strength?: string;
    reconsider_weeks?: [number, number];
    citation?: string;
  };
  verdict: "applies" | "not_determined";
  used: RuleInput[];
  missing: RuleInput[];
}

export interface StoneOptions {
  stone: number;
  known: RuleInputs;
  rules: WeighedRule[];
  passage: { source: string; percent: number; range: [number, number] | null }[];
}

/** What a medical record told of the patient. */
export interface RecordedFact {
  input: RuleInput;
  holds: boolean;
  system: string;
  code: string;
  source: string;
  observed_at: string;
}

export interface GuidelineOptions {
  sources: { id: string; version: number; title: string | null; edition: string | null; citation: string; values_from: string }[];
  stones: StoneOptions[];
  missing: RuleInput[];
  /** Absent where no record told anything. */
  recorded?: RecordedFact[];
  /** Absent in older reports, and where no kidney has stones. */
  kidneys?: KidneyScores[];
}

/** Scores of one kidney's stones, which tell how hard they are to remove through the skin. */
export interface KidneyScores {
  side: Stone["side"];
  stones: number[];
  known: RuleInputs;
  scores: {
    score: string;
    points: [number, number];
    scale: [number, number];
    items: { item: string; points: [number, number] }[];
    used: RuleInput[];
    missing: RuleInput[];
    stone_free_percent: [number, number] | null;
  }[];
}

export interface EarlierStone {
  number: number;
  side: Stone["side"];
  part: Stone["part"];
  largest_diameter_mm: number | null;
}

/** The stones beside those of the patient's last study before. */
export interface Comparison {
  study_uid: string;
  date: string | null;
  report_version: number;
  stones: {
    stone: number;
    earlier: EarlierStone | null;
    change: "new" | "grown" | "smaller" | "unchanged" | "not_comparable";
    diameter_change_mm: number | null;
    descended_mm: number | null;
  }[];
  gone: { earlier: EarlierStone; looked_at: boolean }[];
  /** Stones that a physician added to the earlier report, which nobody marked. */
  without_place?: EarlierStone[];
}

export type Plane = "axial" | "coronal" | "sagittal";

export interface UrinaryStoneReport {
  options: GuidelineOptions;
  /** Absent in older reports. */
  rejected?: { finding: Stone; statement: Statement }[];
  comparison: Comparison | null;
  schema: string;
  version: number;
  supersedes: number | null;
  created_at: string;
  study: { series: { series_uid: string; number: number | null; description: string; why: Statement } | null; synthetic: boolean };
  result: {
    stone_present: "yes" | "no" | "not_assessed";
    stone_count: number;
    highest_score: number | null;
    score_threshold: number | null;
    score_is_calibrated: boolean;
    refusal: Statement | null;
  };
  stones: Stone[];
  slices: SliceRow[];
  coverage: {
    slices_searched: number;
    slices_total: number;
    looked_at: Statement[];
    not_looked_at: Statement[];
    series_not_chosen: { series_uid: string; number: number | null; description: string; reason: Statement }[];
  };
  geometry_findings: Statement[];
  provenance: {
    model: { name: string; hash: string; plan_hash: string; first_line: string; synthetic_trained: boolean } | null;
    engine: string;
    precision: string;
    input_hash: string | null;
    software_version: string;
  };
  disclaimers: Statement[];
  /** What a physician made of it; absent as long as nobody has signed. */
  review?: { stone_count: number; findings: { number: number; verdict: "accepted" | "edited" | "rejected" }[] };
  signature?: { by: string; at: string; sha256: string };
}
