import { metaData } from "@cornerstonejs/core";
import { wadors } from "@cornerstonejs/dicom-image-loader";

import { type Instance, seriesAddress } from "../api/viewer";
import { imageIdOf } from "./frames";
import type { Point3 } from "./space";
import { type Slice, type Stack, stackOf } from "./stack";

/** A series as it is looked at. */
export interface ViewedSeries extends Stack {
  studyUid: string;
  seriesUid: string;
  description: string;
  modality: string;
  frameOfReference: string | null;
  /** The window that its first image asks for. */
  window: { width: number; centre: number } | null;
  /** The engine, or our own check of files that it has not seen, found a regular volume. Without one there are no millimetres. */
  regular: boolean;
  /** It lies in files of this browser and nowhere else. */
  local: boolean;
}

const text = (instance: Instance, tag: string): string => {
  const value = instance[tag]?.Value?.[0];
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
};

const numbers = (value: unknown): number[] => (Array.isArray(value) ? value : [value]).map(Number).filter(Number.isFinite);
const pointOf = (value: unknown): Point3 | null => {
  const [x, y, z] = numbers(value);
  return x === undefined || y === undefined || z === undefined ? null : [x, y, z];
};

interface PlaneModule {
  rows: number;
  columns: number;
  rowCosines?: unknown;
  columnCosines?: unknown;
  imagePositionPatient?: unknown;
  rowPixelSpacing?: number | null;
  columnPixelSpacing?: number | null;
  frameOfReferenceUID?: string;
  usingDefaultValues?: boolean;
}

/** An image as its headers place it; what they do not say is not made up. */
export function sliceOf(imageId: string, sopUid: string, instanceNumber: number): Slice {
  const plane = metaData.get("imagePlaneModule", imageId) as PlaneModule | undefined;
  const said = plane && !plane.usingDefaultValues;
  const [row, column] = [pointOf(plane?.rowCosines), pointOf(plane?.columnCosines)];
  const { rowPixelSpacing: down, columnPixelSpacing: along } = plane ?? {};
  return {
    imageId, sopUid, instanceNumber,
    position: said ? pointOf(plane.imagePositionPatient) : null,
    orientation: said && row && column ? [row, column] : null,
    spacing: said && down && along ? [down, along] : null,
    rows: plane?.rows ?? 0,
    columns: plane?.columns ?? 0,
    frameOfReference: plane?.frameOfReferenceUID ?? null,
  };
}

export function windowOf(imageId: string): ViewedSeries["window"] {
  const voi = metaData.get("voiLutModule", imageId) as { windowCenter?: unknown; windowWidth?: unknown } | undefined;
  const [centre] = numbers(voi?.windowCenter ?? []);
  const [width] = numbers(voi?.windowWidth ?? []);
  return centre !== undefined && width !== undefined && width > 0 ? { centre, width } : null;
}

/** A series by the metadata of its instances, of whose images Cornerstone is told. */
export function viewedSeries(studyUid: string, seriesUid: string, instances: readonly Instance[], regular: boolean): ViewedSeries {
  const path = seriesAddress(studyUid, seriesUid);
  const slices = instances.flatMap((instance) => {
    const sopUid = text(instance, "00080018");
    if (sopUid === "" || text(instance, "00280010") === "") return [];
    const frames = Math.max(1, Number.parseInt(text(instance, "00280008"), 10) || 1);
    const ids = Array.from({ length: frames }, (_, at) => imageIdOf(`${path}/instances/${sopUid}/frames/${at + 1}`));
    const [first] = ids;
    if (first) wadors.metaDataManager.add(first, instance as never);
    const number = Number.parseInt(text(instance, "00200013"), 10) || 0;
    return ids.map((imageId, at) => sliceOf(imageId, sopUid, frames > 1 ? at : number));
  });
  const stack = stackOf(slices);
  const [first] = stack.slices;
  const [instance] = instances;
  return {
    ...stack,
    grid: regular ? stack.grid : null,
    studyUid, seriesUid, regular,
    description: instance ? text(instance, "0008103E") : "",
    modality: instance ? text(instance, "00080060") : "",
    frameOfReference: first?.frameOfReference ?? null,
    window: first ? windowOf(first.imageId) : null,
    local: false,
  };
}
