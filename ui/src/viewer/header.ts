/** What the header of an image says of its place and its pixels, in DICOM JSON (PS3.18 Annex F). What it does not say is absent, and never made up. */

import type { Point3 } from "./space";

type Elements = Record<string, { vr?: string; Value?: unknown[] } | undefined>;

/** How samples are written (PS3.3 C.7.6.3, C.11.1). */
export interface PixelFacts {
  rows: number;
  columns: number;
  samples: number;
  photometric: string;
  /** Colours of a pixel stand together (0), or each colour has a plane of its own (1). */
  planar: number;
  allocated: number;
  stored: number;
  highBit: number;
  signed: boolean;
  /** To HU, or whatever else the Modality LUT's output is. */
  slope: number;
  intercept: number;
  /** The smallest value is white. */
  inverse: boolean;
}

/** An image as its header places it. */
export interface Header {
  pixels: PixelFacts;
  /** Centre of the first pixel (mm). */
  position: Point3 | null;
  /** Directions of a row and of a column. */
  orientation: [Point3, Point3] | null;
  /** Between rows and between columns (mm). */
  spacing: [number, number] | null;
  frameOfReference: string | null;
  window: { width: number; centre: number } | null;
}

const first = (elements: Elements | undefined, tag: string): unknown => elements?.[tag]?.Value?.[0];

export const textOf = (elements: Elements | undefined, tag: string): string => {
  const value = first(elements, tag);
  return typeof value === "string" || typeof value === "number" ? String(value).trim() : "";
};

const numbersOf = (elements: Elements | undefined, tag: string): number[] => {
  const values = (elements?.[tag]?.Value ?? []).map((value) => (value === null || value === "" ? NaN : Number(value)));
  return values.every(Number.isFinite) ? values : [];
};

const pointOf = ([x, y, z]: number[]): Point3 | null => (x === undefined || y === undefined || z === undefined ? null : [x, y, z]);

/** The item of a functional group of a frame, from 0 on: its own, or the one that all share (PS3.3 C.7.6.16); an object of one frame says it itself. */
function groupOf(instance: Elements, frame: number, sequence: string): Elements {
  const groups = instance["52009230"]?.Value?.[frame] as Elements | undefined;
  const shared = first(instance, "52009229") as Elements | undefined;
  return ((first(groups, sequence) ?? first(shared, sequence)) as Elements | undefined) ?? instance;
}

export function headerOf(instance: Elements, frame: number): Header {
  const whole = (tag: string, absent: number) => numbersOf(instance, tag)[0] ?? absent;
  const [measures, plane, turned] = ["00289110", "00209113", "00209116"].map((sequence) => groupOf(instance, frame, sequence));
  const [rescale, voi] = ["00289145", "00289132"].map((sequence) => groupOf(instance, frame, sequence));
  const [rowDown = NaN, columnAcross = NaN] = [numbersOf(measures, "00280030"), numbersOf(instance, "00181164")].find(({ length }) => length === 2) ?? [];
  const cosines = numbersOf(turned, "00200037");
  const [row, column] = [pointOf(cosines), pointOf(cosines.slice(3))];
  const [centre, width] = [numbersOf(voi, "00281050")[0], numbersOf(voi, "00281051")[0]];
  const allocated = whole("00280100", 16);
  const photometric = textOf(instance, "00280004");
  const slope = numbersOf(rescale, "00281053")[0] ?? 1;
  return {
    pixels: {
      rows: whole("00280010", 0), columns: whole("00280011", 0), samples: whole("00280002", 1), photometric, planar: whole("00280006", 0),
      allocated, stored: whole("00280101", allocated), highBit: whole("00280102", whole("00280101", allocated) - 1), signed: whole("00280103", 0) === 1,
      slope: slope === 0 ? 1 : slope, intercept: slope === 0 ? 0 : (numbersOf(rescale, "00281052")[0] ?? 0),
      inverse: photometric === "MONOCHROME1" || textOf(instance, "20500020") === "INVERSE",
    },
    position: pointOf(numbersOf(plane, "00200032")),
    orientation: row && column ? [row, column] : null,
    spacing: rowDown > 0 && columnAcross > 0 ? [rowDown, columnAcross] : null,
    frameOfReference: textOf(instance, "00200052") || null,
    window: centre !== undefined && width !== undefined && width > 0 ? { centre, width } : null,
  };
}
