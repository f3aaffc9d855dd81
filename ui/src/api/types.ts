/** The words of the API, out of docs/openapi.json (`cargo xtask openapi --write`), which the server's own test holds against the code. */

import type { components, paths } from "./__generated__/openapi";

type Schemas = components["schemas"];

/** One of the list that an address answers with: what stands in lists alone has no name of its own in the document. */
type OneOf<Path extends keyof paths> = paths[Path] extends {
  get: { responses: { 200: { content: { "application/json": (infer One)[] } } } };
}
  ? One
  : never;

/**
 * A view as the server sends it: every field is there, and null where nothing is known. (OpenAPI has one word for what may be left out of a
 * request and for what may be null in an answer.)
 */
export type Whole<T> = T extends readonly (infer One)[]
  ? Whole<One>[]
  : T extends object
    ? { [K in keyof T as null extends T[K] ? K : never]-?: Whole<Exclude<T[K], undefined>> } & {
        [K in keyof T as null extends T[K] ? never : K]: Whole<T[K]>;
      }
    : T;

export type Note = Schemas["Note"];
export type Statement = Schemas["Statement"];
export type ModelSummary = Schemas["ModelSummary"];
export type SystemView = Whole<Schemas["SystemView"]>;
export type ReadingStatus = Schemas["ReadingStatus"];
export type ReadingState = Whole<Schemas["ReadingState"]>;
/** A patient's name in its component groups (PS3.5 6.2.1), `^` between the components. */
export type PatientView = Whole<Schemas["PatientView"]>;
export type StudySummary = Whole<Schemas["StudySummary"]>;
export type SeriesSummary = Whole<Schemas["SeriesSummary"]>;
export type StudyDetail = Whole<Schemas["StudyDetail"]>;
export type Activity = Whole<Schemas["Activity"]>;
export type QuarantineEntry = OneOf<"/api/v1/quarantine">;

/** The worklist. */
export type PageOfStudySummary = Whole<Schemas["PageOfStudySummary"]>;
export type StudySearch = Schemas["StudySearch"];
export type WorkFilter = Schemas["WorkFilter"];
export type WorkSort = Schemas["WorkSort"];
export type WorkOrder = Schemas["WorkOrder"];
export type Workflow = Schemas["Workflow"];
export type Priority = Schemas["Priority"];
export type StonesFound = Schemas["StonesFound"];
export type StudyChange = Whole<Schemas["StudyChange"]>;
export type SavedFilter = Schemas["SavedFilter"];
export type NewSavedFilter = Schemas["NewSavedFilter"];
export type Acquisition = Whole<OneOf<"/api/v1/studies/{study_uid}/acquisition">>;
export type Range = Schemas["Range"];

/** Running an installation. */
export type JobsView = Whole<Schemas["JobsView"]>;
export type Counted = Schemas["Counted"];
export type StoppedReading = Whole<Schemas["StoppedReading"]>;
export type StorageView = Whole<Schemas["StorageView"]>;
export type ModelView = Whole<OneOf<"/api/v1/models">>;
export type FigureView = Schemas["FigureView"];
export type ForwardState = Schemas["ForwardState"];
export type ForwardView = Whole<Schemas["ForwardView"]>;
export type DeliveryState = Schemas["DeliveryState"];
export type DeliveryView = Whole<Schemas["DeliveryView"]>;
/** A page of a listing, with the cursor of the one after it. */
export interface PageOf<Row> {
  items: Row[];
  next: string | null;
}
export type HealthFinding = OneOf<"/api/v1/operations/health">;
export type NodeView = Whole<Schemas["NodeView"]>;
export type PeerView = Schemas["PeerView"];
export type RuleView = Whole<Schemas["RuleView"]>;
export type PullView = Whole<Schemas["PullView"]>;
export type EchoView = Schemas["EchoView"];
export type PeerSearch = Schemas["PeerSearch"];
export type PeerMatches = Whole<Schemas["PeerMatches"]>;
export type PeerStudy = Whole<Schemas["PeerStudy"]>;
export type Retrieval = Whole<Schemas["Retrieval"]>;
export type NewRetrieval = Schemas["NewRetrieval"];
export type SamplesView = Whole<Schemas["SamplesView"]>;

/** Reports. Of these, fields that may be left out are: older reports lack what later ones say. */
export type Interval = Schemas["Interval"];
export type Stone = Schemas["Stone"];
export type SliceRow = Schemas["SliceRow"];
export type RuleInput = Schemas["RuleInput"];
export type RuleInputs = Schemas["RuleInputs"];
export type WeighedRule = Schemas["Weighed"];
export type StoneOptions = Schemas["StoneOptions"];
export type GuidelineOptions = Schemas["GuidelineOptions"];
export type RecordedFact = Schemas["RecordedFact"];
export type KidneyScores = Schemas["KidneyScores"];
export type EarlierStone = Schemas["EarlierStone"];
export type Comparison = Schemas["Comparison"];
export type UrinaryStoneReport = Schemas["UrinaryStoneReport"];

/** What a physician can tell of the patient, as crates/hilum-clinical/src/guideline/condition.rs names it. */
export const toldFacts = [
  "infection", "obstruction", "uncontrolled_pain", "symptoms", "reduced_renal_function", "pregnancy", "anticoagulation",
  "solitary_kidney", "aortic_aneurysm", "unfavourable_anatomy",
] as const satisfies readonly RuleInput[];
/** What scores of a kidney's stones ask for beside. */
export const toldOfKidneys = [
  "moderate_hydronephrosis", "three_calyces", "partial_staghorn", "staghorn", "calyceal_diverticulum", "abnormal_anatomy",
  "spinal_malformation",
] as const satisfies readonly RuleInput[];
export type ToldFact = (typeof toldFacts)[number] | (typeof toldOfKidneys)[number];
export type Told = Partial<Record<ToldFact, boolean>>;

export type Plane = "axial" | "coronal" | "sagittal";
