/** Points and directions in patient coordinates: mm, towards the patient's Left, Posterior, Superior (PS3.3 C.7.6.2.1.1). */

export type Point3 = [number, number, number];
export type Point2 = [number, number];

export const add = (a: Point3, b: Point3): Point3 => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
export const minus = (a: Point3, b: Point3): Point3 => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
export const times = (a: Point3, by: number): Point3 => [a[0] * by, a[1] * by, a[2] * by];
export const dot = (a: Point3, b: Point3): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
export const cross = (a: Point3, b: Point3): Point3 => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
export const length = (a: Point3): number => Math.sqrt(dot(a, a));
export const unit = (a: Point3): Point3 => times(a, 1 / (length(a) || 1));

/** The axes of a grid of voxels: 0 across the columns (x), 1 down the rows (y), 2 through the slices (z). */
export type Axis = 0 | 1 | 2;
export const axes: readonly Axis[] = [0, 1, 2];

/** Where voxels lie: the voxel `[x, y, z]` at `origin + x step[0] + y step[1] + z step[2]`. */
export interface Grid {
  origin: Point3;
  step: [Point3, Point3, Point3];
  /** Voxels along x, y and z. */
  size: Point3;
}

export function patientFromIndex(grid: Grid, [x, y, z]: Point3): Point3 {
  return add(grid.origin, add(times(grid.step[0], x), add(times(grid.step[1], y), times(grid.step[2], z))));
}

/** Where between the voxels a point lies; the steps need not be perpendicular. */
export function indexFromPatient(grid: Grid, point: Point3): Point3 {
  const [a, b, c] = grid.step;
  const from = minus(point, grid.origin);
  const volume = dot(a, cross(b, c));
  return [dot(from, cross(b, c)) / volume, dot(from, cross(c, a)) / volume, dot(from, cross(a, b)) / volume];
}

/** The three planes that radiologists know. */
export const planes = ["axial", "coronal", "sagittal"] as const;
export type Plane = (typeof planes)[number];

/** How a plane is looked at: where the eye is, and what is up (from the feet, from the front, from the left). */
const looked: Record<Plane, { normal: Point3; up: Point3 }> = {
  axial: { normal: [0, 0, -1], up: [0, -1, 0] },
  coronal: { normal: [0, -1, 0], up: [0, 0, 1] },
  sagittal: { normal: [1, 0, 0], up: [0, 0, 1] },
};

/** A plane of a grid: the axis that it is perpendicular to, and how it is looked at. */
export interface View {
  axis: Axis;
  normal: Point3;
  up: Point3;
}

/**
 * The plane of a grid that is nearest to a plane of the body. It follows the grid, so that a slice is a layer of voxels also where the patient
 * lay obliquely.
 */
export function viewOf(grid: Grid, plane: Plane): View {
  const { normal, up } = looked[plane];
  const nearest = (to: Point3, but?: Axis): { axis: Axis; direction: Point3 } => {
    const [best] = axes
      .filter((axis) => axis !== but)
      .map((axis) => ({ axis, along: dot(unit(grid.step[axis]), to) }))
      .sort((a, b) => Math.abs(b.along) - Math.abs(a.along));
    const { axis, along } = best ?? { axis: 2 as Axis, along: 1 };
    return { axis, direction: times(unit(grid.step[axis]), along < 0 ? -1 : 1) };
  };
  const through = nearest(normal);
  return { axis: through.axis, normal: through.direction, up: nearest(up, through.axis).direction };
}

/** The letters of a direction, the strongest first: `L`, `PR`, `HLA` ... (PS3.3 C.7.6.1.1.1). */
export function letters(direction: Point3): string {
  const names = [["L", "R"], ["P", "A"], ["H", "F"]] as const;
  return axes
    .map((axis) => ({ by: direction[axis], names: names[axis] }))
    .filter(({ by }) => Math.abs(by) > 0.25)
    .sort((a, b) => Math.abs(b.by) - Math.abs(a.by))
    .map(({ by, names: [plus, minusName] }) => (by > 0 ? plus : minusName))
    .join("");
}

/** A round length for a scale bar of at most this many mm: 1, 2 or 5 times a power of ten. */
export function roundLength(most: number): number {
  const power = 10 ** Math.floor(Math.log10(most));
  return [5, 2, 1].map((factor) => factor * power).find((mm) => mm <= most) ?? power;
}
