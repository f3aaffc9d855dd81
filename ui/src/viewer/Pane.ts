import { Enums, type RenderingEngine, type StackViewport, type Types, type VolumeViewport } from "@cornerstonejs/core";

import { type Drawn, draw, type Scene } from "./draw";
import type { Window } from "./presets";
import type { ViewedSeries } from "./series";
import { add, type Axis, cross, dot, indexFromPatient, length, minus, patientFromIndex, type Point2, type Point3, times, viewOf } from "./space";
import type { PaneName, Slab } from "./state";

const black: Types.RGB = [0, 0, 0];

/** One pane: a viewport of Cornerstone, and what is drawn over it. */
export class Pane {
  /** The layer that is shown. */
  layer = 0;
  axis: Axis = 2;
  private readonly viewportId: string;
  private series: ViewedSeries | null = null;
  /** Its images are there to be moved. */
  private ready = false;
  /** The scale at which the whole image fits (mm of half the height). */
  private fitted = 1;
  private slab = { kind: "none" as Slab, mm: 0 };

  constructor(
    readonly name: PaneName,
    private readonly engine: RenderingEngine,
    readonly element: HTMLDivElement,
    private readonly svg: SVGSVGElement,
    private readonly onRendered: (pane: Pane) => void,
  ) {
    this.viewportId = `${engine.id}/${name}`;
    const type = name === "stack" ? Enums.ViewportType.STACK : Enums.ViewportType.ORTHOGRAPHIC;
    engine.enableElement({ viewportId: this.viewportId, element, type, defaultOptions: { background: black } });
    element.addEventListener(Enums.Events.IMAGE_RENDERED, this.rendered);
  }

  close() {
    this.element.removeEventListener(Enums.Events.IMAGE_RENDERED, this.rendered);
    if (!this.engine.hasBeenDestroyed) this.engine.disableElement(this.viewportId);
  }

  private readonly rendered = () => this.onRendered(this);

  private get viewport(): StackViewport | VolumeViewport {
    return this.engine.getViewport(this.viewportId) as unknown as StackViewport | VolumeViewport;
  }

  get isReady(): boolean {
    return this.ready;
  }

  /** How many layers there are. */
  get layers(): number {
    if (!this.series) return 0;
    return this.name === "stack" ? this.series.slices.length : (this.series.grid?.size[this.axis] ?? 0);
  }

  async showStack(series: ViewedSeries, at: number) {
    this.ready = false;
    this.series = series;
    this.axis = 2;
    this.layer = at;
    const viewport = this.viewport as StackViewport;
    await viewport.setStack(series.slices.map(({ imageId }) => imageId), at);
    this.fitted = this.camera().parallelScale;
    this.ready = true;
    viewport.render();
  }

  async showVolume(series: ViewedSeries, volumeId: string) {
    if (!series.grid || this.name === "stack") return;
    this.ready = false;
    this.series = series;
    const view = viewOf(series.grid, this.name);
    this.axis = view.axis;
    const viewport = this.viewport as VolumeViewport;
    await viewport.setVolumes([{ volumeId }]);
    viewport.setOrientation({ viewPlaneNormal: view.normal, viewUp: view.up });
    viewport.resetCamera();
    this.fitted = this.camera().parallelScale;
    this.ready = true;
    this.goTo(0);
  }

  setWindow({ width, centre }: Window) {
    if (!this.ready) return;
    this.viewport.setProperties({ voiRange: { lower: centre - width / 2, upper: centre + width / 2 } });
    this.viewport.render();
  }

  /** Layers seen through one another; of a volume only. */
  setSlab(kind: Slab, mm: number) {
    if (this.name === "stack") return;
    this.slab = { kind, mm };
    if (!this.ready) return;
    const viewport = this.viewport as VolumeViewport;
    const modes = { none: Enums.BlendModes.COMPOSITE, mip: Enums.BlendModes.MAXIMUM_INTENSITY_BLEND, aip: Enums.BlendModes.AVERAGE_INTENSITY_BLEND };
    viewport.setBlendMode(modes[kind]);
    if (kind === "none") viewport.resetSlabThickness();
    else viewport.setSlabThickness(mm);
    viewport.render();
  }

  /** Shows a layer; one that is not there is the nearest that is. */
  goTo(layer: number) {
    if (!this.ready || !this.series || this.layers === 0) return;
    this.layer = Math.min(Math.max(0, Math.round(layer)), this.layers - 1);
    if (this.name === "stack") {
      void (this.viewport as StackViewport).setImageIdIndex(this.layer);
      return;
    }
    const { grid } = this.series;
    if (!grid) return;
    const { focalPoint, position, viewPlaneNormal } = this.camera();
    const through = add(grid.origin, times(grid.step[this.axis], this.layer));
    const way = times(viewPlaneNormal, dot(minus(through, focalPoint), viewPlaneNormal));
    if (length(way) > 1e-6) this.viewport.setCamera({ focalPoint: add(focalPoint, way), position: add(position, way) });
    this.viewport.render();
  }

  /** Shows the layer that a point lies in, which moves into view where it is outside. */
  jumpTo(point: Point3) {
    const grid = this.series?.grid;
    if (!grid || !this.ready) return;
    this.goTo(indexFromPatient(grid, point)[this.axis]);
    const [x, y] = this.canvasFromPatient(point);
    const { clientWidth: width, clientHeight: height } = this.element;
    const room = 40;
    if (x > room && y > room && x < width - room && y < height - room) return;
    this.pan(width / 2 - x, height / 2 - y);
  }

  private camera(): { focalPoint: Point3; position: Point3; viewPlaneNormal: Point3; viewUp: Point3; parallelScale: number } {
    const { focalPoint, position, viewPlaneNormal, viewUp, parallelScale } = this.viewport.getCamera();
    return {
      focalPoint: [...(focalPoint ?? [0, 0, 0])] as Point3, position: [...(position ?? [0, 0, 0])] as Point3,
      viewPlaneNormal: [...(viewPlaneNormal ?? [0, 0, 1])] as Point3, viewUp: [...(viewUp ?? [0, -1, 0])] as Point3,
      parallelScale: parallelScale ?? 1,
    };
  }

  canvasFromPatient = (point: Point3): Point2 => [...this.viewport.worldToCanvas(point)] as Point2;

  patientFromCanvas(at: Point2): Point3 {
    return [...this.viewport.canvasToWorld(at)] as Point3;
  }

  /** The point under the pointer, in the middle of the layer that is shown. */
  pointAt(at: Point2): Point3 | null {
    const grid = this.series?.grid;
    if (!grid || !this.ready) return null;
    const index = indexFromPatient(grid, this.patientFromCanvas(at));
    index[this.axis] = this.layer;
    return patientFromIndex(grid, index);
  }

  /** Moves the image by pixels of the canvas. */
  pan(dx: number, dy: number) {
    if (!this.ready) return;
    const way = minus(this.patientFromCanvas([0, 0]), this.patientFromCanvas([dx, dy]));
    const { focalPoint, position } = this.camera();
    this.viewport.setCamera({ focalPoint: add(focalPoint, way), position: add(position, way) });
    this.viewport.render();
  }

  /** Larger by a factor, round a point of the canvas that stays where it is. */
  zoom(factor: number, round: Point2) {
    if (!this.ready) return;
    const before = this.patientFromCanvas(round);
    const { parallelScale } = this.camera();
    this.viewport.setCamera({ parallelScale: Math.min(5000, Math.max(2, parallelScale / factor)) });
    const way = minus(before, this.patientFromCanvas(round));
    const { focalPoint, position } = this.camera();
    this.viewport.setCamera({ focalPoint: add(focalPoint, way), position: add(position, way) });
    this.viewport.render();
  }

  /** Its size has changed: what filled it fills it again, and what was larger stays as much larger. */
  resized() {
    if (!this.ready) return;
    const { focalPoint, position, parallelScale } = this.camera();
    this.viewport.resetCamera();
    const fits = this.camera().parallelScale;
    this.viewport.setCamera({ focalPoint, position, parallelScale: (parallelScale * fits) / this.fitted });
    this.fitted = fits;
    this.viewport.render();
  }

  /** As it was before anybody moved it; the layer stays. */
  reset() {
    if (!this.ready) return;
    this.viewport.resetCamera();
    this.fitted = this.camera().parallelScale;
    this.goTo(this.layer);
    this.viewport.render();
  }

  /** Layers that are seen through one another. */
  private range(): [number, number] {
    const step = this.series?.grid?.step[this.axis];
    if (this.slab.kind === "none" || !step) return [this.layer, this.layer];
    const half = Math.floor(this.slab.mm / length(step) / 2);
    return [this.layer - half, this.layer + half];
  }

  scene(): Scene | null {
    const { series } = this;
    const { clientWidth: width, clientHeight: height } = this.element;
    if (!this.ready || !series || width === 0 || height === 0) return null;
    const { viewPlaneNormal, viewUp } = this.camera();
    const [first, last] = this.range();
    const oriented = series.slices[this.name === "stack" ? this.layer : 0]?.orientation != null;
    const nowhere: Point3 = [0, 0, 0];
    return {
      width, height, first, last,
      grid: series.grid,
      axis: this.axis,
      regular: series.regular,
      canvasFromPatient: this.canvasFromPatient,
      right: oriented ? cross(viewUp, viewPlaneNormal) : nowhere,
      down: oriented ? times(viewUp, -1) : nowhere,
    };
  }

  draw(drawn: Drawn) {
    const scene = this.scene();
    if (scene) draw(this.svg, scene, drawn);
    else this.svg.replaceChildren();
  }
}
