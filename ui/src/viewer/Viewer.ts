import type { Drawn } from "./draw";
import { Filling } from "./filling";
import { Images } from "./images";
import { type Measured, measured, type MeasurementKind } from "./measure";
import { Pane } from "./Pane";
import { valueAt } from "./picture";
import { Prefetch } from "./prefetch";
import { presets, type Window } from "./presets";
import type { ViewedSeries } from "./series";
import { indexFromPatient, patientFromIndex, type Point3 } from "./space";
import {
  colours, type Layout, type Measurement, type Palette, type PaneName, panesOf, type Slab, storedPalette, storePalette, type Tool, type ViewerState,
} from "./state";
import type { Slice } from "./stack";
import { type DrawnStone, painted, stoneOf } from "./stones";

const MiB = 1024 * 1024;

/** What single images may take: what is looked at, and what lies around it. */
const stackBytes = 512 * MiB;
/** Three planes of more than this are not offered: browsers end a page that takes a few GB. */
const volumeBytes = 1536 * MiB;

/** A measurement that is being drawn. */
export interface Draft {
  kind: MeasurementKind;
  points: Point3[];
  pane: PaneName;
}

const empty: ViewerState = {
  series: null, layout: "stack", tool: "window", window: null, slab: "none", slabMm: 10, layers: {}, active: "stack", stones: [], unsaved: new Set(), brushMm: 2, visible: true,
  hidden: new Set(), rejected: new Set(), finding: null, measurements: [], loading: null, trouble: null, overlay: true, palette: "standard",
};

/** Milliseconds between two drawings of a volume that fills, at least and at most: a page that nobody sees draws only once it is seen again. */
const [drawEvery, drawWithin] = [200, 5_000];
/** What drawing may take of the time in which a volume fills: a fifth. */
const drawShare = 4;

/**
 * What is looked at, and how. It lives outside of React: the page asks it for its state and tells it what to do, and no frame waits for a page
 * to be rendered.
 */
export class Viewer {
  private now: ViewerState = { ...empty, palette: storedPalette() };
  private readonly listeners = new Set<() => void>();
  private readonly images = new Images(stackBytes, (slice) => this.imageCame(slice), () => this.imageFailed());
  private readonly panes = new Map<PaneName, Pane>();
  private prefetch: Prefetch | null = null;
  private filling: Filling | null = null;
  /** Where the crosshair is. */
  private focus: Point3 | null = null;
  private draft: Draft | null = null;
  private first = 0;
  private closed = false;
  private drawing = 0;
  private coming = 0;
  private pause = drawEvery;
  /** Told of a measurement that somebody finished drawing. */
  onMeasured: (draft: Draft) => void = () => undefined;
  /** How a measurement is written beside it. */
  describe: (kind: MeasurementKind, measured: Measured) => string[] = () => [];

  close() {
    this.closed = true;
    window.clearTimeout(this.coming);
    this.prefetch?.end();
    for (const pane of this.panes.values()) pane.close();
    this.panes.clear();
    this.forget();
    this.listeners.clear();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly state = (): ViewerState => this.now;

  private become(change: Partial<ViewerState>) {
    this.now = { ...this.now, ...change };
    for (const listener of this.listeners) listener();
  }

  // --- what is looked at ---

  /** Looks at a series, at an image of it (from 0 on; the middle one where none is named). */
  async show(series: ViewedSeries, layout: Layout, at?: number) {
    this.prefetch?.end();
    this.forget();
    this.first = Math.min(Math.max(0, at ?? Math.floor(series.slices.length / 2)), Math.max(0, series.slices.length - 1));
    this.focus = series.grid ? patientFromIndex(series.grid, [(series.grid.size[0] - 1) / 2, (series.grid.size[1] - 1) / 2, this.first]) : null;
    const window = this.now.window ?? (series.modality === "CT" ? { ...presets.stone } : series.window);
    const same = this.now.series?.seriesUid === series.seriesUid;
    this.become({
      series, window, layers: {}, trouble: null, loading: null,
      layout: this.canReslice(series) ? layout : "stack",
      ...(!same && { stones: [], unsaved: new Set<number>(), finding: null, hidden: new Set<number>(), measurements: [] }),
    });
    this.become({ active: panesOf[this.now.layout][0] ?? "stack" });
    const imageBytes = (series.slices[0]?.rows ?? 0) * (series.slices[0]?.columns ?? 0) * 2;
    const everything = imageBytes * series.slices.length < stackBytes * 0.6;
    this.prefetch = new Prefetch(
      series.slices.length, everything,
      (index) => this.images.has(series.slices[index]),
      (index) => {
        const slice = series.slices[index];
        return slice ? this.images.load(slice) : Promise.resolve();
      },
    );
    await Promise.all([...this.panes.values()].map((pane) => this.fill(pane)));
  }

  /** Nothing of a series that is no longer looked at is held. */
  private forget() {
    this.filling?.end();
    this.filling = null;
    this.images.clear();
    this.images.allow(stackBytes);
  }

  /** Whether there can be three planes of a series. */
  canReslice(series: ViewedSeries | null = this.now.series): boolean {
    if (!series?.grid || !series.regular) return false;
    const [x, y, z] = series.grid.size;
    return z >= 3 && x * y * z * 2 <= volumeBytes;
  }

  /** Fetches all images of a series; all panes share them. */
  private fillVolume(series: ViewedSeries) {
    if (this.filling) return;
    const [x, y, z] = series.grid?.size ?? [0, 0, 0];
    this.images.allow(Math.max(stackBytes, x * y * z * 4));
    this.prefetch?.end();
    const filling = new Filling(series.slices, this.first, this.images);
    this.filling = filling;
    this.become({ loading: { done: 0, of: z } });
    void filling.run().then(() => this.filling === filling && this.imagesCame(true));
  }

  private async fill(pane: Pane) {
    const { series, window, slab, slabMm } = this.now;
    if (!series || !panesOf[this.now.layout].includes(pane.name)) return;
    try {
      if (pane.name === "stack") {
        const at = this.first;
        await pane.showStack(series, at);
        if (this.now.series === series && this.first !== at) pane.goTo(this.first);
        this.prefetch?.at(pane.layer);
      } else {
        this.fillVolume(series);
        pane.showVolume(series);
        if (this.focus) pane.jumpTo(this.focus);
        if (slab !== "none") pane.setSlab(slab, slabMm);
      }
      if (this.closed || this.now.series !== series) return;
      if (window) pane.setWindow(window);
      this.tellLayer(pane);
    } catch (error) {
      // Nobody wants it any more: it did not fail.
      if (error instanceof DOMException && error.name === "AbortError") return;
      if (!this.closed && this.now.series === series) this.become({ trouble: "image" });
    }
  }

  private imageFailed() {
    if (!this.closed) this.become({ trouble: "image" });
  }

  private imageCame(slice: Slice) {
    const { loading, series } = this.now;
    if (!loading) return;
    // A whole image is shown as soon as it is there.
    for (const pane of this.panes.values()) if (pane.axis === 2 && pane.name !== "stack" && series?.slices[pane.layer] === slice) pane.refresh();
    if (this.coming === 0) this.coming = window.setTimeout(() => this.imagesCame(false), this.pause);
  }

  /** Paints what came meanwhile: seldom while there is more to come, because painting keeps images from coming. */
  private imagesCame(all: boolean) {
    window.clearTimeout(this.coming);
    this.coming = 0;
    const { loading, series } = this.now;
    if (this.closed || !loading || !series) return;
    const done = series.slices.filter((slice) => this.images.has(slice)).length;
    this.become({ loading: all ? null : { ...loading, done } });
    const start = performance.now();
    for (const pane of this.panes.values()) if (pane.name !== "stack") pane.refresh();
    // Painted in the next frame; the one after it comes when the browser is done with that.
    requestAnimationFrame(() => requestAnimationFrame(() => (this.pause = Math.min(drawWithin, Math.max(drawEvery, drawShare * (performance.now() - start))))));
  }

  // --- panes ---

  /** A pane's place on the page; the act that takes it away again. */
  attach(name: PaneName, element: HTMLDivElement, svg: SVGSVGElement): () => void {
    const pane = new Pane(name, this.images, element, svg, (rendered) => rendered.draw(this.drawn(rendered)));
    this.panes.set(name, pane);
    const observer = new ResizeObserver(() => {
      if (element.clientWidth === 0 || this.closed) return;
      pane.resized();
    });
    observer.observe(element);
    void this.fill(pane);
    return () => {
      observer.disconnect();
      if (this.panes.get(name) !== pane) return;
      this.panes.delete(name);
      pane.close();
    };
  }

  pane(name: PaneName): Pane | undefined {
    return this.panes.get(name);
  }

  activate(name: PaneName) {
    if (this.now.active !== name) this.become({ active: name });
  }

  private tellLayer(pane: Pane) {
    const before = this.now.layers[pane.name];
    if (before?.at === pane.layer && before.of === pane.layers) return;
    this.become({ layers: { ...this.now.layers, [pane.name]: { at: pane.layer, of: pane.layers } } });
  }

  // --- moving ---

  scroll(by: number, name: PaneName = this.now.active) {
    const pane = this.panes.get(name);
    if (pane) this.goTo((pane.isReady || name !== "stack" ? pane.layer : this.first) + by, name);
  }

  /** Shows a layer of a pane; the crosshair goes with it. */
  goTo(layer: number, name: PaneName = this.now.active) {
    const pane = this.panes.get(name);
    const { series } = this.now;
    if (!pane || !series) return;
    if (!pane.isReady && name === "stack") {
      // Its images are on their way: it begins at what is asked for meanwhile.
      this.first = Math.min(Math.max(0, layer), series.slices.length - 1);
      return;
    }
    pane.goTo(layer);
    if (name === "stack") {
      this.first = pane.layer;
      this.prefetch?.at(pane.layer);
    }
    if (series.grid && this.focus) {
      const index = indexFromPatient(series.grid, this.focus);
      index[pane.axis] = pane.layer;
      this.focus = patientFromIndex(series.grid, index);
      if (pane.axis === 2) this.first = pane.layer;
    }
    this.tellLayer(pane);
    this.redraw();
  }

  /** The pane that shows the series' own slices, in whichever layout; undefined until it does. */
  private ownPane(): Pane | undefined {
    return [...this.panes.values()].find((pane) => pane.axis === 2 && this.now.layers[pane.name] !== undefined);
  }

  /** The series' own slice that is shown; null as long as there is none. */
  readonly slice = (): number | null => this.ownPane()?.layer ?? null;

  readonly goToSlice = (at: number) => {
    const pane = this.ownPane();
    if (pane && pane.layer !== at) this.goTo(at, pane.name);
  };

  /** Shows a point in all panes. */
  jumpTo(point: Point3) {
    const grid = this.now.series?.grid;
    if (!grid) return;
    this.focus = point;
    this.first = Math.min(Math.max(0, Math.round(indexFromPatient(grid, point)[2])), grid.size[2] - 1);
    for (const pane of this.panes.values()) {
      pane.jumpTo(point);
      if (pane.name === "stack") this.prefetch?.at(pane.layer);
      this.tellLayer(pane);
    }
    this.redraw();
  }

  /** The crosshair to a point; the panes keep their places and show its layers. */
  pointTo(point: Point3) {
    const grid = this.now.series?.grid;
    if (!grid) return;
    this.focus = point;
    const index = indexFromPatient(grid, point);
    for (const pane of this.panes.values()) {
      if (Math.round(index[pane.axis]) !== pane.layer) pane.goTo(index[pane.axis]);
      this.tellLayer(pane);
    }
    this.first = Math.min(Math.max(0, Math.round(index[2])), grid.size[2] - 1);
    this.redraw();
  }

  showFinding(number: number) {
    const stone = this.now.stones.find((one) => one.number === number);
    if (!stone) return;
    this.become({ finding: number });
    this.jumpTo(stone.centre);
  }

  /** The finding after or before the one that was jumped to. */
  stepFinding(by: 1 | -1) {
    const numbers = this.now.stones.map(({ number }) => number);
    const at = numbers.indexOf(this.now.finding ?? NaN);
    const next = numbers[at < 0 ? (by > 0 ? 0 : numbers.length - 1) : (at + by + numbers.length) % numbers.length];
    if (next !== undefined) this.showFinding(next);
  }

  reset() {
    for (const pane of this.panes.values()) pane.reset();
    const { series } = this.now;
    this.setSlab("none");
    if (series) this.setWindow(series.modality === "CT" ? { ...presets.stone } : series.window);
    this.redraw();
  }

  // --- looks ---

  setWindow(window: Window | null) {
    if (!window) return;
    this.become({ window });
    for (const pane of this.panes.values()) pane.setWindow(window);
  }

  setLayout(layout: Layout) {
    if (layout === this.now.layout) return;
    if (layout === "mpr" && !this.canReslice()) {
      if (this.now.series?.grid && this.now.series.regular) this.become({ trouble: "tooLarge" });
      return;
    }
    this.become({ layout, active: panesOf[layout][0] ?? "stack", layers: {} });
  }

  setSlab(slab: Slab, slabMm: number = this.now.slabMm) {
    this.become({ slab, slabMm });
    for (const pane of this.panes.values()) pane.setSlab(slab, slabMm);
  }

  setTool(tool: Tool) {
    this.draft = null;
    this.become({ tool });
    this.redraw();
  }

  setPalette(palette: Palette) {
    storePalette(palette);
    this.become({ palette });
    this.redraw();
  }

  set(change: Partial<Pick<ViewerState, "visible" | "overlay" | "rejected" | "trouble">>) {
    this.become(change);
    this.redraw();
  }

  setStones(stones: DrawnStone[]) {
    this.become({ stones, unsaved: new Set() });
    this.redraw();
  }

  setBrush(brushMm: number) {
    this.become({ brushMm });
  }

  /** Brush or eraser at a point of a pane's layer, on the finding that was jumped to. A stone keeps a voxel at least: one that is none is rejected. */
  paint(point: Point3, axis: 0 | 1 | 2, adds: boolean) {
    const { series, stones, finding, brushMm, unsaved } = this.now;
    const before = stones.find(({ number }) => number === finding);
    if (!series?.grid || !before) return;
    const after = stoneOf(series.grid, before.number, painted(series.grid, before.voxels, axis, point, brushMm, adds));
    if (!after || (after.voxels.size === before.voxels.size && !adds)) return;
    this.become({ stones: stones.map((stone) => (stone === before ? after : stone)), unsaved: new Set(unsaved).add(before.number) });
    this.redraw();
  }

  toggleFinding(number: number) {
    const hidden = new Set(this.now.hidden);
    if (!hidden.delete(number)) hidden.add(number);
    this.become({ hidden });
    this.redraw();
  }

  // --- measuring ---

  setMeasurements(measurements: Measurement[]) {
    this.become({ measurements });
    this.redraw();
  }

  setDraft(draft: Draft | null) {
    this.draft = draft;
    this.redraw();
  }

  currentDraft(): Draft | null {
    return this.draft;
  }

  /** HU of a voxel; undefined where its image is not there. */
  readonly voxel = ([x, y, z]: Point3): number | undefined => {
    const slice = this.now.series?.slices[z];
    if (!slice || x < 0 || y < 0 || x >= slice.columns || y >= slice.rows) return undefined;
    const picture = this.images.peek(slice);
    return picture && valueAt(picture, x, y);
  };

  measure(kind: MeasurementKind, points: Point3[], axis: 0 | 1 | 2): Measured {
    const { series } = this.now;
    if (!series?.grid) return { mm: null, area: null, hu: null };
    return measured(kind, points, series.grid, axis, this.voxel, series.regular);
  }

  // --- drawing ---

  private drawn(pane: Pane): Drawn {
    const { stones, visible, hidden, rejected, finding, measurements, palette, overlay, layout, tool, series } = this.now;
    const drafts = this.draft?.pane === pane.name ? [{ id: 0, ...this.draft }] : [];
    const shown = [...measurements.filter(({ seriesUid }) => seriesUid === series?.seriesUid), ...drafts];
    return {
      stones, visible, hidden, rejected, finding, overlay,
      crosshair: layout === "mpr" || tool === "crosshair" ? this.focus : null,
      measurements: shown.map(({ id, kind, points }) => ({
        id, kind, points, text: this.describe(kind, this.measure(kind, points, pane.axis)),
      })),
      colours: colours[palette],
    };
  }

  /** Draws over the panes, once for all changes of a turn. */
  redraw() {
    if (this.drawing !== 0) return;
    this.drawing = requestAnimationFrame(() => {
      this.drawing = 0;
      if (this.closed) return;
      for (const pane of this.panes.values()) pane.draw(this.drawn(pane));
    });
  }
}
