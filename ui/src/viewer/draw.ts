import { halfAxes, type MeasurementKind } from "./measure";
import { add, type Axis, type Grid, letters, minus, patientFromIndex, type Point2, type Point3, roundLength } from "./space";
import type { Measurement } from "./state";
import { across, boxOf, type DrawnStone, pathsOf } from "./stones";

/** What a pane shows, as far as drawing over it needs to know. */
export interface Scene {
  width: number;
  height: number;
  grid: Grid | null;
  axis: Axis;
  /** The layers that are seen through one another; one as a rule. */
  first: number;
  last: number;
  canvasFromPatient: (point: Point3) => Point2;
  /** Directions of the canvas in patient coordinates. */
  right: Point3;
  down: Point3;
  /** Without millimetres there is no scale. */
  regular: boolean;
}

export interface Drawn {
  stones: DrawnStone[];
  visible: boolean;
  hidden: ReadonlySet<number>;
  rejected: ReadonlySet<number>;
  finding: number | null;
  crosshair: Point3 | null;
  measurements: (Pick<Measurement, "id" | "kind" | "points"> & { text: string[] })[];
  colours: { mask: string; box: string; cross: string; measure: string };
  overlay: boolean;
}

type Attributes = Record<string, string | number>;

function shape(name: string, attributes: Attributes, content: string | Element[] = []): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  if (typeof content === "string") element.textContent = content;
  else element.append(...content);
  return element;
}

/** Text that is read on black and on white. */
const label = (x: number, y: number, text: string, fill: string, more: Attributes = {}): SVGElement =>
  shape("text", { x, y, fill, stroke: "#000", "stroke-width": 3, "paint-order": "stroke", "font-size": 13, "font-weight": 600, ...more }, text);

/** From the indices of a layer's two axes to the canvas: parallel projection is affine. */
function matrixOf({ grid, axis, first, canvasFromPatient }: Scene): string | null {
  if (!grid) return null;
  const [u, v] = across(axis);
  const at = (a: number, b: number): Point2 => {
    const index: Point3 = [0, 0, 0];
    index[axis] = first;
    index[u] = a;
    index[v] = b;
    return canvasFromPatient(patientFromIndex(grid, index));
  };
  // Far apart, so that rounding does not matter.
  const far = 512;
  const [origin, alongU, alongV] = [at(0, 0), at(far, 0), at(0, far)];
  const parts = [alongU, alongV].flatMap((end) => [(end[0] - origin[0]) / far, (end[1] - origin[1]) / far]);
  return `matrix(${[...parts, ...origin].join(" ")})`;
}

const paths = new WeakMap<DrawnStone, Map<string, ReturnType<typeof pathsOf>>>();

/** Scrolling to and fro asks for the same layers again. */
function cachedPaths(scene: Scene, grid: Grid, stone: DrawnStone) {
  const known = paths.get(stone) ?? new Map<string, ReturnType<typeof pathsOf>>();
  paths.set(stone, known);
  const key = `${scene.axis}/${scene.first}/${scene.last}`;
  const found = known.get(key);
  if (found !== undefined) return found;
  const made = pathsOf(grid, stone, scene.axis, scene.first, scene.last);
  known.set(key, made);
  return made;
}

function masks(scene: Scene, drawn: Drawn): SVGElement[] {
  const { grid } = scene;
  const transform = matrixOf(scene);
  if (!grid || transform === null) return [];
  const shown = drawn.stones.filter(({ number }) => !drawn.hidden.has(number));
  const bodies = shown.flatMap((stone) => {
    const made = cachedPaths(scene, grid, stone);
    if (!made) return [];
    const colour = drawn.colours.mask;
    return [
      shape("g", { transform, "data-mask": stone.number }, [
        shape("path", { d: made.fill, fill: colour, "fill-opacity": 0.5 }),
        shape("path", { d: made.line, fill: "none", stroke: colour, "stroke-width": 1.5, "vector-effect": "non-scaling-stroke" }),
      ]),
    ];
  });
  const boxes = shown.flatMap((stone) => {
    const { low, high } = boxOf(grid, stone);
    if (scene.last < low[scene.axis] || scene.first > high[scene.axis]) return [];
    const corners = [low, high].flatMap(([x]) => [low, high].flatMap(([, y]) => [low, high].map(([, , z]): Point3 => [x, y, z])));
    const on = corners.map((corner) => scene.canvasFromPatient(patientFromIndex(grid, corner)));
    const [xs, ys] = [on.map(([x]) => x), on.map(([, y]) => y)];
    const [x, y] = [Math.min(...xs), Math.min(...ys)];
    const [width, height] = [Math.max(...xs) - x, Math.max(...ys) - y];
    const active = stone.number === drawn.finding;
    const line: Attributes = { fill: "none", stroke: drawn.colours.box, "stroke-width": active ? 3 : 1.5 };
    if (drawn.rejected.has(stone.number)) line["stroke-dasharray"] = "5 4";
    return [
      shape("g", { "data-box": stone.number }, [
        shape("rect", { x, y, width, height, rx: 2, ...line }),
        label(x + width + 4, y + 12, String(stone.number), drawn.colours.box),
      ]),
    ];
  });
  return [...bodies, ...boxes];
}

function crosshair({ canvasFromPatient, width, height }: Scene, { crosshair: point, colours }: Drawn): SVGElement[] {
  if (!point) return [];
  const [x, y] = canvasFromPatient(point);
  const gap = 14;
  const line = (x1: number, y1: number, x2: number, y2: number) =>
    shape("line", { x1, y1, x2, y2, stroke: colours.cross, "stroke-width": 1, "stroke-opacity": 0.85 });
  return [
    shape("g", { "data-crosshair": "" }, [line(0, y, x - gap, y), line(x + gap, y, width, y), line(x, 0, x, y - gap), line(x, y + gap, x, height)]),
  ];
}

/** An ellipse as the path of its points: its axes need not lie along the canvas. */
function ellipsePath(points: Point3[], canvasFromPatient: Scene["canvasFromPatient"]): string {
  const axesOf = halfAxes(points);
  if (!axesOf) return "";
  const { centre, a, b } = axesOf;
  const turn = Array.from({ length: 49 }, (_, at) => (at / 48) * 2 * Math.PI);
  const on = turn.map((angle) => {
    const [s, c] = [Math.sin(angle), Math.cos(angle)];
    return canvasFromPatient(add(centre, [a[0] * c + b[0] * s, a[1] * c + b[1] * s, a[2] * c + b[2] * s]));
  });
  return `M${on.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}Z`;
}

function figure(kind: MeasurementKind, points: Point3[], canvasFromPatient: Scene["canvasFromPatient"], stroke: string): SVGElement[] {
  const on = points.map(canvasFromPatient);
  const line: Attributes = { fill: "none", stroke, "stroke-width": 2 };
  const knob = ([cx, cy]: Point2) => shape("circle", { cx, cy, r: 4, fill: "#000", "fill-opacity": 0.4, stroke, "stroke-width": 1.5 });
  switch (kind) {
    case "length": {
      const [from, to] = on;
      return from && to ? [shape("line", { x1: from[0], y1: from[1], x2: to[0], y2: to[1], ...line }), knob(from), knob(to)] : [];
    }
    case "ellipse":
      return points.length === 3 ? [shape("path", { d: ellipsePath(points, canvasFromPatient), ...line })] : [];
    case "probe":
      return on.map(knob);
  }
}

/** A measurement is drawn in the layers that it was made in. */
function liesIn(scene: Scene, points: Point3[]): boolean {
  const { grid, canvasFromPatient: _, axis, first, last } = scene;
  if (!grid) return false;
  const normal = grid.step[axis];
  const square = normal[0] ** 2 + normal[1] ** 2 + normal[2] ** 2;
  return points.every((point) => {
    const from = minus(point, grid.origin);
    const at = (from[0] * normal[0] + from[1] * normal[1] + from[2] * normal[2]) / square;
    return at > first - 0.6 && at < last + 0.6;
  });
}

function measurements(scene: Scene, drawn: Drawn): SVGElement[] {
  const stroke = drawn.colours.measure;
  return drawn.measurements
    .filter(({ points }) => liesIn(scene, points))
    .map(({ id, kind, points, text }) => {
      const on = points.map(scene.canvasFromPatient);
      const [x, y] = [Math.max(...on.map(([at]) => at)) + 8, Math.max(...on.map(([, at]) => at)) + 4];
      const lines = text.map((words, row) => label(x, y + row * 16, words, stroke));
      return shape("g", { "data-measurement": id }, [...figure(kind, points, scene.canvasFromPatient, stroke), ...lines]);
    });
}

function marks(scene: Scene): SVGElement[] {
  const { width, height, right, down, regular, canvasFromPatient, grid } = scene;
  const ink = "#e9ecef";
  const middle = { "text-anchor": "middle" };
  const oriented = grid !== null || right[0] !== 0 || right[1] !== 0 || right[2] !== 0;
  const around = oriented
    ? [
        label(width - 14, height / 2 + 4, letters(right), ink, { "text-anchor": "end" }),
        label(8, height / 2 + 4, letters([-right[0], -right[1], -right[2]]), ink),
        label(width / 2, height - 8, letters(down), ink, middle),
        label(width / 2, 18, letters([-down[0], -down[1], -down[2]]), ink, middle),
      ]
    : [];
  if (!regular || !grid) return around;
  const origin = canvasFromPatient(grid.origin);
  const to = canvasFromPatient(add(grid.origin, [down[0] * 100, down[1] * 100, down[2] * 100]));
  const perMm = Math.hypot(to[0] - origin[0], to[1] - origin[1]) / 100;
  if (!(perMm > 0)) return around;
  const mm = roundLength((height * 0.36) / perMm);
  const [x, top] = [width - 22, height / 2 + 24];
  const bottom = top + mm * perMm;
  const bar = `M${x + 6} ${top}H${x}V${bottom}H${x + 6}`;
  return [
    ...around,
    shape("path", { d: bar, fill: "none", stroke: ink, "stroke-width": 1.5 }),
    label(x + 8, bottom + 16, mm >= 10 ? `${mm / 10} cm` : `${mm} mm`, ink, { "text-anchor": "end", "font-size": 12 }),
  ];
}

/** Everything that lies over a pane's image. */
export function draw(svg: SVGSVGElement, scene: Scene, drawn: Drawn) {
  svg.setAttribute("viewBox", `0 0 ${scene.width} ${scene.height}`);
  svg.replaceChildren(
    ...(drawn.overlay ? marks(scene) : []),
    ...crosshair(scene, drawn),
    ...(drawn.visible ? masks(scene, drawn) : []),
    ...measurements(scene, drawn),
  );
}
