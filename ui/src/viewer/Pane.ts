import { type Drawn, draw, type Scene } from "./draw";
import type { Images } from "./images";
import { paint, type Surface } from "./paint";
import type { Picture } from "./picture";
import type { Window } from "./presets";
import type { ViewedSeries } from "./series";
import { type Lie, lieOf, sheetOf } from "./sheet";
import { add, type Axis, dot, indexFromPatient, length, minus, patientFromIndex, type Point2, type Point3, times, unit, viewOf } from "./space";
import type { PaneName, Slab } from "./state";

/** More pixels than this are not painted: the browser enlarges them. */
const mostPixels = 4_000_000;
/** What a pane's height may show at least and at most (mm). */
const [leastMm, mostMm] = [4, 10_000];

/** Where a flat picture lies in the patient: its first pixel's centre, the directions of its lines and columns, and how far its pixels are apart (mm). */
interface Plane {
  origin: Point3;
  right: Point3;
  down: Point3;
  pitch: Point2;
  columns: number;
  rows: number;
}

/** One pane: a canvas on which layers are painted, and what is drawn over it. */
export class Pane {
  /** The layer that is asked for. */
  layer = 0;
  axis: Axis = 2;
  private readonly canvas = document.createElement("canvas");
  private readonly context = this.canvas.getContext("2d", { alpha: false });
  private image: ImageData | null = null;
  private series: ViewedSeries | null = null;
  private lie: Lie | null = null;
  /** Its images are there to be moved. */
  private ready = false;
  /** The layer that is on the canvas: the one that is asked for, as soon as its image is there. */
  private shown = 0;
  private window: Window | null = null;
  private slab = { kind: "none" as Slab, mm: 0 };
  /** What was painted last, so that windows and movements need no new one. */
  private sheet: Picture | null = null;
  /** Of the canvas (pixels of the page). */
  private size: Point2;
  /** The place of the plane in the canvas's middle (mm from its first pixel), and pixels of the page a mm. */
  private centre: Point2 = [0, 0];
  private scale = 1;
  /** The scale at which the whole image fits. */
  private fitted = 1;
  private frame = 0;
  private fetching = false;
  private closed = false;

  constructor(
    readonly name: PaneName,
    private readonly images: Images,
    readonly element: HTMLDivElement,
    private readonly svg: SVGSVGElement,
    private readonly onPainted: (pane: Pane) => void,
  ) {
    this.size = [element.clientWidth, element.clientHeight];
    element.append(this.canvas);
  }

  close() {
    this.closed = true;
    cancelAnimationFrame(this.frame);
    this.canvas.remove();
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
    this.begin(series, null, 2);
    this.layer = at;
    const slice = series.slices[at];
    if (slice) await this.images.load(slice);
    if (this.series !== series) return;
    this.ready = true;
    this.shown = this.layer;
    this.fit();
    this.render();
  }

  showVolume(series: ViewedSeries) {
    if (!series.grid || this.name === "stack") return;
    const view = viewOf(series.grid, this.name);
    this.begin(series, lieOf(series.grid, view), view.axis);
    this.ready = true;
    this.fit();
    this.goTo(0);
  }

  private begin(series: ViewedSeries, lie: Lie | null, axis: Axis) {
    this.ready = false;
    this.series = series;
    this.lie = lie;
    this.axis = axis;
    this.sheet = null;
  }

  setWindow(window: Window) {
    this.window = window;
    this.render();
  }

  /** Layers seen through one another; of a volume only. */
  setSlab(kind: Slab, mm: number) {
    if (this.name === "stack") return;
    this.slab = { kind, mm };
    this.refresh();
  }

  /** Shows a layer; one that is not there is the nearest that is. */
  goTo(layer: number) {
    if (!this.ready || !this.series || this.layers === 0) return;
    this.layer = Math.min(Math.max(0, Math.round(layer)), this.layers - 1);
    if (this.name === "stack" && !this.images.has(this.series.slices[this.layer])) {
      void this.fetch();
      return;
    }
    this.shown = this.layer;
    this.refresh();
  }

  /** Fetches the image that is asked for; what is asked for meanwhile comes next. */
  private async fetch() {
    if (this.fetching) return;
    this.fetching = true;
    for (;;) {
      const { series, layer } = this;
      const slice = series?.slices[layer];
      // What does not come is told of by whoever holds the images.
      if (slice) await this.images.load(slice).catch(() => undefined);
      if (this.closed || (this.series === series && this.layer === layer)) break;
    }
    this.fetching = false;
    if (!this.closed && this.ready && this.images.has(this.series?.slices[this.layer])) {
      this.shown = this.layer;
      this.refresh();
    }
  }

  /** Shows the layer that a point lies in, which moves into view where it is outside. */
  jumpTo(point: Point3) {
    const grid = this.series?.grid;
    if (!grid || !this.ready) return;
    this.goTo(indexFromPatient(grid, point)[this.axis]);
    const [x, y] = this.canvasFromPatient(point);
    const [width, height] = this.size;
    const room = 40;
    if (x > room && y > room && x < width - room && y < height - room) return;
    this.pan(width / 2 - x, height / 2 - y);
  }

  /** Where the layer on the canvas lies; pixels of which nothing is known are one millimetre apart. */
  private plane(): Plane | null {
    const { series, lie } = this;
    if (!series) return null;
    const slice = series.slices[this.shown];
    if (!lie) {
      if (!slice) return null;
      const [right, down] = slice.orientation ?? [[1, 0, 0], [0, 1, 0]];
      const [rowDown, columnAcross] = slice.spacing ?? [1, 1];
      return { origin: slice.position ?? [0, 0, 0], right: unit(right), down: unit(down), pitch: [columnAcross, rowDown], columns: slice.columns, rows: slice.rows };
    }
    const { grid } = series;
    if (!grid) return null;
    const index: Point3 = [0, 0, 0];
    index[this.axis] = this.shown;
    if (lie.acrossBack) index[lie.across] = grid.size[lie.across] - 1;
    if (lie.downBack) index[lie.down] = grid.size[lie.down] - 1;
    const [across, down] = [times(grid.step[lie.across], lie.acrossBack ? -1 : 1), times(grid.step[lie.down], lie.downBack ? -1 : 1)];
    return {
      origin: patientFromIndex(grid, index), right: unit(across), down: unit(down), pitch: [length(across), length(down)],
      columns: grid.size[lie.across], rows: grid.size[lie.down],
    };
  }

  canvasFromPatient = (point: Point3): Point2 => {
    const plane = this.plane();
    if (!plane) return [0, 0];
    const from = minus(point, plane.origin);
    const [width, height] = this.size;
    return [width / 2 + (dot(from, plane.right) - this.centre[0]) * this.scale, height / 2 + (dot(from, plane.down) - this.centre[1]) * this.scale];
  };

  /** From the canvas to its plane: mm from the plane's first pixel. */
  private place([x, y]: Point2): Point2 {
    const [width, height] = this.size;
    return [(x - width / 2) / this.scale + this.centre[0], (y - height / 2) / this.scale + this.centre[1]];
  }

  patientFromCanvas(at: Point2): Point3 {
    const plane = this.plane();
    const [across, down] = this.place(at);
    return plane ? add(plane.origin, add(times(plane.right, across), times(plane.down, down))) : [0, 0, 0];
  }

  /** The point under the pointer, in the middle of the layer that is shown. */
  pointAt(at: Point2): Point3 | null {
    const grid = this.series?.grid;
    if (!grid || !this.ready) return null;
    const index = indexFromPatient(grid, this.patientFromCanvas(at));
    index[this.axis] = this.shown;
    return patientFromIndex(grid, index);
  }

  /** Moves the image by pixels of the canvas. */
  pan(dx: number, dy: number) {
    if (!this.ready) return;
    this.centre = [this.centre[0] - dx / this.scale, this.centre[1] - dy / this.scale];
    this.render();
  }

  /** Larger by a factor, round a point of the canvas that stays where it is. */
  zoom(factor: number, round: Point2) {
    if (!this.ready) return;
    const before = this.place(round);
    const [, height] = this.size;
    this.scale = Math.min(height / leastMm, Math.max(height / mostMm, this.scale * factor));
    const after = this.place(round);
    this.centre = [this.centre[0] + before[0] - after[0], this.centre[1] + before[1] - after[1]];
    this.render();
  }

  /** The whole image, in the middle. */
  private fit() {
    const plane = this.plane();
    if (!plane) return;
    const { columns, rows, pitch: [across, down] } = plane;
    this.centre = [((columns - 1) / 2) * across, ((rows - 1) / 2) * down];
    this.scale = this.fitting(plane);
    this.fitted = this.scale;
  }

  private fitting({ columns, rows, pitch: [across, down] }: Plane): number {
    const [width, height] = this.size;
    return Math.min(width / (columns * across), height / (rows * down)) || 1;
  }

  /** Its size has changed: what filled it fills it again, and what was larger stays as much larger. */
  resized() {
    this.size = [this.element.clientWidth, this.element.clientHeight];
    const plane = this.plane();
    if (!this.ready || !plane) return;
    const fits = this.fitting(plane);
    this.scale *= fits / this.fitted;
    this.fitted = fits;
    this.render();
  }

  /** As it was before anybody moved it; the layer stays. */
  reset() {
    if (!this.ready) return;
    this.fit();
    this.render();
  }

  /** Layers that are seen through one another. */
  private range(): [number, number] {
    const step = this.series?.grid?.step[this.axis];
    if (this.slab.kind === "none" || !step) return [this.shown, this.shown];
    const half = Math.floor(this.slab.mm / length(step) / 2);
    return [this.shown - half, this.shown + half];
  }

  /** What it is made of has changed. */
  refresh() {
    this.sheet = null;
    this.render();
  }

  /** Paints in the next frame, once for all changes until then. */
  private render() {
    if (!this.ready || this.frame !== 0) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.paint();
    });
  }

  /** The picture of the layers that are shown. */
  private picture(): Picture | null {
    const { series, lie, images } = this;
    if (!lie) return images.get(series?.slices[this.shown]) ?? null;
    if (!series?.grid) return null;
    return sheetOf(series.grid, lie, this.range(), this.slab.kind === "aip", (z) => images.peek(series.slices[z]));
  }

  /** Memory as large as the canvas in pixels of the screen. */
  private surface(): (Surface & { image: ImageData; ratio: number }) | null {
    const [width, height] = this.size;
    if (width < 1 || height < 1) return null;
    const ratio = Math.min(window.devicePixelRatio || 1, Math.sqrt(mostPixels / (width * height)));
    const [across, down] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
    if (this.canvas.width !== across) this.canvas.width = across;
    if (this.canvas.height !== down) this.canvas.height = down;
    const image = this.image?.width === across && this.image.height === down ? this.image : new ImageData(across, down);
    this.image = image;
    return { image, ratio, width: across, height: down, pixels: new Uint32Array(image.data.buffer) };
  }

  private paint() {
    const [plane, surface] = [this.plane(), this.surface()];
    const picture = (this.sheet ??= this.picture());
    if (this.closed || !plane || !surface || !this.context) return;
    if (picture) {
      const { pitch: [pitchAcross, pitchDown] } = plane;
      const [left, top] = this.place([0.5 / surface.ratio, 0.5 / surface.ratio]);
      const step = 1 / (this.scale * surface.ratio);
      paint(surface, picture, { left: left / pitchAcross, top: top / pitchDown, across: step / pitchAcross, down: step / pitchDown }, this.window);
    } else surface.pixels.fill(0xff000000);
    this.context.putImageData(surface.image, 0, 0);
    this.onPainted(this);
    // For whoever measures how long pictures take.
    this.element.dispatchEvent(new CustomEvent("hilum-painted"));
  }

  scene(): Scene | null {
    const { series } = this;
    const [width, height] = this.size;
    const plane = this.plane();
    if (!this.ready || !series || !plane || width === 0 || height === 0) return null;
    const [first, last] = this.range();
    const oriented = series.slices[this.name === "stack" ? this.shown : 0]?.orientation != null;
    const nowhere: Point3 = [0, 0, 0];
    return {
      width, height, first, last,
      grid: series.grid,
      axis: this.axis,
      regular: series.regular,
      canvasFromPatient: this.canvasFromPatient,
      right: oriented ? plane.right : nowhere,
      down: oriented ? plane.down : nowhere,
    };
  }

  draw(drawn: Drawn) {
    const scene = this.scene();
    if (scene) draw(this.svg, scene, drawn);
    else this.svg.replaceChildren();
  }
}
