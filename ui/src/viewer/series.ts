import { type Instance, seriesAddress } from "../api/viewer";
import { loadFrame } from "./frames";
import { headerOf, type Header, textOf } from "./header";
import type { Window } from "./presets";
import { type Slice, type Stack, stackOf } from "./stack";

/** A series as it is looked at. */
export interface ViewedSeries extends Stack {
  studyUid: string;
  seriesUid: string;
  description: string;
  modality: string;
  frameOfReference: string | null;
  /** The window that its first image asks for. */
  window: Window | null;
  /** The engine, or our own check of files that it has not seen, found a regular volume. Without one there are no millimetres. */
  regular: boolean;
  /** It lies in files of this browser and nowhere else. */
  local: boolean;
}

/** An image as its header places it, and where its pixels come from. */
export function sliceOf({ pixels, position, orientation, spacing, frameOfReference }: Header, named: Pick<Slice, "sopUid" | "instanceNumber" | "load">): Slice {
  return { ...named, position, orientation, spacing, rows: pixels.rows, columns: pixels.columns, frameOfReference };
}

/** A series by the metadata of its instances. */
export function viewedSeries(studyUid: string, seriesUid: string, instances: readonly Instance[], regular: boolean): ViewedSeries {
  const path = seriesAddress(studyUid, seriesUid);
  let window: Window | null | undefined;
  const slices = instances.flatMap((instance) => {
    const sopUid = textOf(instance, "00080018");
    if (sopUid === "" || textOf(instance, "00280010") === "") return [];
    const frames = Math.max(1, Number.parseInt(textOf(instance, "00280008"), 10) || 1);
    const number = Number.parseInt(textOf(instance, "00200013"), 10) || 0;
    return Array.from({ length: frames }, (_, at) => {
      const header = headerOf(instance, at);
      window ??= header.window;
      const load = (signal: AbortSignal) => loadFrame(`${path}/instances/${sopUid}/frames/${at + 1}`, header.pixels, signal);
      return sliceOf(header, { sopUid, instanceNumber: frames > 1 ? at : number, load });
    });
  });
  const stack = stackOf(slices);
  const [instance] = instances;
  return {
    ...stack,
    grid: regular ? stack.grid : null,
    studyUid, seriesUid, regular,
    description: textOf(instance, "0008103E"),
    modality: textOf(instance, "00080060"),
    frameOfReference: stack.slices[0]?.frameOfReference ?? null,
    window: window ?? null,
    local: false,
  };
}
