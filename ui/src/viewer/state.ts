import type { MeasurementKind } from "./measure";
import type { Window } from "./presets";
import type { ViewedSeries } from "./series";
import type { Plane, Point3 } from "./space";
import type { DrawnStone } from "./stones";

export const layouts = ["stack", "mpr"] as const;
export type Layout = (typeof layouts)[number];

export const tools = ["window", "pan", "zoom", "scroll", "crosshair", "length", "ellipse", "probe", "brush", "eraser"] as const;
export type Tool = (typeof tools)[number];
/** Those for looking, and those for measuring. */
export const looking: readonly Tool[] = ["window", "pan", "zoom", "scroll", "crosshair"];
export const measuring: readonly Tool[] = ["length", "ellipse", "probe"];

export type PaneName = "stack" | Plane;
export const panesOf: Record<Layout, PaneName[]> = { stack: ["stack"], mpr: ["axial", "coronal", "sagittal"] };

/** How layers are seen through one another: the largest value, or the mean. */
export const slabs = ["none", "mip", "aip"] as const;
export type Slab = (typeof slabs)[number];

export interface Measurement {
  /** Its number at the server; negative while it is on its way there. */
  id: number;
  seriesUid: string;
  kind: MeasurementKind;
  points: Point3[];
  by: string;
  own: boolean;
}

/** What everybody beside the canvas may know of a viewer. It is replaced, never changed. */
export interface ViewerState {
  series: ViewedSeries | null;
  layout: Layout;
  tool: Tool;
  window: Window | null;
  slab: Slab;
  slabMm: number;
  /** The layer of each pane, from 0 on, and how many there are. */
  layers: Partial<Record<PaneName, { at: number; of: number }>>;
  /** The pane that was touched last: keys act there. */
  active: PaneName;
  stones: DrawnStone[];
  /** Stones whose masks were changed here and are not kept yet. */
  unsaved: ReadonlySet<number>;
  /** Radius of brush and eraser (mm). */
  brushMm: number;
  /** Masks and boxes as a whole, and findings without theirs. */
  visible: boolean;
  hidden: ReadonlySet<number>;
  /** Findings that a physician rejected: their boxes are dashed. */
  rejected: ReadonlySet<number>;
  /** The finding that was jumped to last. */
  finding: number | null;
  measurements: Measurement[];
  /** Images of the volume that are there, of how many, as long as they come. */
  loading: { done: number; of: number } | null;
  /** What did not come. */
  trouble: "image" | "tooLarge" | null;
  overlay: boolean;
  palette: Palette;
}

export const palettes = ["standard", "safe"] as const;
export type Palette = (typeof palettes)[number];

/** Red and green as the papers have them, and a pair that is told apart without either (Okabe and Ito, 2008). */
export const colours: Record<Palette, { mask: string; box: string; cross: string; measure: string }> = {
  standard: { mask: "#ff2a2a", box: "#2fe05a", cross: "#4aa8ff", measure: "#ffd43b" },
  safe: { mask: "#f58518", box: "#56b4e9", cross: "#cc79a7", measure: "#f0e442" },
};

const paletteKey = "hilum.viewer.palette";
export const storedPalette = (): Palette => (localStorage.getItem(paletteKey) === "safe" ? "safe" : "standard");
export const storePalette = (palette: Palette) => localStorage.setItem(paletteKey, palette);
