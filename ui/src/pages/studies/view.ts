/** What of the list stands in its address: everything but texts that may name a patient. */

import type { Priority, StonesFound, WorkFilter, WorkOrder, WorkSort, Workflow } from "../../api/types";

export const priorities: readonly Priority[] = ["stat", "high", "routine"];
export const workflows: readonly Workflow[] = ["unread", "in_review", "signed"];
export const stonesFound: readonly StonesFound[] = ["present", "absent", "unknown"];
const orders: readonly WorkOrder[] = [
  "priority", "name", "patient_id", "date", "modality", "description", "stones", "workflow", "received",
];

export const usualSort: WorkSort = { by: "priority", descending: true };

export interface ListView {
  filter: WorkFilter;
  sort: WorkSort;
  /** The study that is shown beside the list. */
  study: string | null;
}

const list = (text: string | null): string[] => (text ?? "").split(",").map((one) => one.trim()).filter((one) => one !== "").slice(0, 20);

function among<T extends string>(known: readonly T[], text: string | null): T[] {
  return list(text).filter((one): one is T => known.some((other) => other === one));
}

const day = (text: string | null) => (text !== null && /^(19|20)\d\d-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/.test(text) ? text : undefined);

export function readView(search: URLSearchParams): ListView {
  const filter: WorkFilter = {};
  const from = day(search.get("from"));
  const to = day(search.get("to"));
  if (from) filter.from = from;
  if (to) filter.to = to;
  const modality = list(search.get("modality"));
  if (modality.length > 0) filter.modality = modality;
  const bodyPart = list(search.get("body"));
  if (bodyPart.length > 0) filter.body_part = bodyPart;
  const description = search.get("description")?.slice(0, 200);
  if (description) filter.description = description;
  const contrast = search.get("contrast");
  if (contrast === "yes" || contrast === "no") filter.contrast = contrast === "yes";
  const workflow = among(workflows, search.get("state"));
  if (workflow.length > 0) filter.workflow = workflow;
  const priority = among(priorities, search.get("priority"));
  if (priority.length > 0) filter.priority = priority;
  const stones = among(stonesFound, search.get("stones"));
  if (stones.length > 0) filter.stones = stones;
  const sort = search.get("sort") ?? "";
  const by = orders.find((order) => order === sort.replace(/^-/, ""));
  return {
    filter,
    sort: by ? { by, descending: sort.startsWith("-") } : usualSort,
    study: search.get("study"),
  };
}

/** The part of an address for a view; what is usual is left out. */
export function writeView({ filter, sort, study }: ListView): URLSearchParams {
  const search = new URLSearchParams();
  const put = (name: string, value: string | undefined | null) => {
    if (value) search.set(name, value);
  };
  put("from", filter.from);
  put("to", filter.to);
  put("modality", filter.modality?.join(","));
  put("body", filter.body_part?.join(","));
  put("description", filter.description);
  if (filter.contrast != null) put("contrast", filter.contrast ? "yes" : "no");
  put("state", filter.workflow?.join(","));
  put("priority", filter.priority?.join(","));
  put("stones", filter.stones?.join(","));
  if (sort.by !== usualSort.by || sort.descending !== usualSort.descending) put("sort", `${sort.descending ? "-" : ""}${sort.by}`);
  put("study", study);
  return search;
}

/** How many filters are set, texts not counted. */
export function countFilters(filter: WorkFilter): number {
  return Object.values(filter).filter((value) => value != null && value !== "" && !(Array.isArray(value) && value.length === 0)).length;
}

/** What is largest is wanted first of these: the most urgent, the newest. */
const largestFirst: readonly WorkOrder[] = ["priority", "date", "received", "stones"];

/** The order after a click on a column's head. */
export function nextSort(sort: WorkSort, by: WorkOrder): WorkSort {
  if (sort.by === by) return { by, descending: !sort.descending };
  return { by, descending: largestFirst.includes(by) };
}
