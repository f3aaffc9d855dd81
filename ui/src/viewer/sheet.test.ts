import { expect, it } from "vitest";

import type { Picture } from "./picture";
import { lieOf, sheetOf } from "./sheet";
import { cross, type Grid, indexFromPatient, patientFromIndex, type Plane, planes, type Point3, viewOf } from "./space";

/** How a series was taken: axial from the feet up and from the head down, coronal, sagittal, and a patient who lay turned. */
const grids: Record<string, Grid> = {
  feetFirst: { origin: [-10, -8, -5], step: [[0.7, 0, 0], [0, 0.9, 0], [0, 0, 2.5]], size: [9, 7, 5] },
  headFirst: { origin: [-10, -8, 30], step: [[0.7, 0, 0], [0, 0.9, 0], [0, 0, -2.5]], size: [9, 7, 5] },
  prone: { origin: [10, 8, 30], step: [[-0.7, 0, 0], [0, -0.9, 0], [0, 0, -2.5]], size: [9, 7, 5] },
  coronal: { origin: [-10, -8, 30], step: [[0.7, 0, 0], [0, 0, -0.9], [0, 2.5, 0]], size: [9, 7, 5] },
  sagittal: { origin: [-10, -8, 30], step: [[0, 0.7, 0], [0, 0, -0.9], [2.5, 0, 0]], size: [9, 7, 5] },
  oblique: { origin: [0, 0, 0], step: [[0.66, 0.23, 0], [-0.3, 0.85, 0], [0, 0, 2.5]], size: [9, 7, 5] },
};

/** A volume whose value is told by where it lies in the patient. */
const value = ([x, y, z]: Point3) => Math.round(1000 + 40 * x - 30 * y + 25 * z + 7 * Math.sin(3 * x + 5 * y + 2 * z));
const slicesOf = (grid: Grid) =>
  Array.from({ length: grid.size[2] }, (_, z): Picture => {
    const [columns, rows] = grid.size;
    const samples = Int16Array.from({ length: columns * rows }, (_, at) => value(patientFromIndex(grid, [at % columns, Math.floor(at / columns), z])) - 500);
    return { rows, columns, colour: false, samples, slope: 1, intercept: 500, inverse: false };
  });

/** Right and down of each plane as radiologists look at it, in patient coordinates. */
const looked: Record<Plane, { right: Point3; down: Point3 }> = {
  axial: { right: [1, 0, 0], down: [0, 1, 0] },
  coronal: { right: [1, 0, 0], down: [0, 0, -1] },
  sagittal: { right: [0, 1, 0], down: [0, 0, -1] },
};
const along = (a: Point3, b: Point3) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

for (const [name, grid] of Object.entries(grids)) {
  for (const plane of planes) {
    it(`${name}, ${plane}: each pixel is the voxel that lies there, right and down as radiologists look at it`, () => {
      const view = viewOf(grid, plane);
      const lie = lieOf(grid, view);
      const slices = slicesOf(grid);
      const [right, down] = [cross(view.up, view.normal), view.up.map((part) => -part) as Point3];
      expect(along(right, looked[plane].right)).toBeGreaterThan(0.9);
      expect(along(down, looked[plane].down)).toBeGreaterThan(0.9);
      const layer = Math.floor(grid.size[view.axis] / 2);
      const corner: Point3 = [0, 0, 0];
      corner[view.axis] = layer;
      for (const [axis, back] of [[lie.across, lie.acrossBack], [lie.down, lie.downBack]] as const) if (back) corner[axis] = grid.size[axis] - 1;
      const size = (axis: 0 | 1 | 2) => Math.hypot(...grid.step[axis]);
      const [columns, rows] = [grid.size[lie.across], grid.size[lie.down]];
      /** The voxel that so many pixels right and down of the corner shows, found by millimetres. */
      const voxelAt = (x: number, y: number, by: number): Point3 => {
        const start = patientFromIndex(grid, corner);
        const place = [0, 1, 2].map((part) => (start[part] ?? 0) + (right[part] ?? 0) * x * size(lie.across) + (down[part] ?? 0) * y * size(lie.down)) as Point3;
        const index = indexFromPatient(grid, place).map(Math.round) as Point3;
        index[view.axis] += by;
        return index;
      };
      const at = (index: Point3) => value(patientFromIndex(grid, index));
      const [one, largest, mean] = [
        sheetOf(grid, lie, [layer, layer], false, (z) => slices[z]),
        sheetOf(grid, lie, [layer - 1, layer + 1], false, (z) => slices[z]),
        sheetOf(grid, lie, [layer - 1, layer + 1], true, (z) => slices[z]),
      ];
      for (const sheet of [one, largest, mean]) expect([sheet.columns, sheet.rows]).toEqual([columns, rows]);
      for (let y = 0; y < rows; y += 1) {
        for (let x = 0; x < columns; x += 1) {
          const values = [-1, 0, 1].map((by) => at(voxelAt(x, y, by)));
          const found = [one, largest, mean].map(({ samples, slope, intercept }) => (samples[y * columns + x] ?? NaN) * slope + intercept);
          expect(found[0]).toBe(values[1]);
          expect(found[1]).toBe(Math.max(...values));
          expect(found[2]).toBeCloseTo(values.reduce((sum, each) => sum + each, 0) / 3, 2);
        }
      }
    });
  }
}

it("what is not there yet is black, and means are of what is there", () => {
  const grid = grids.headFirst as Grid;
  const slices = slicesOf(grid);
  const only = (z: number) => (z === 2 ? slices[2] : undefined);
  const coronal = sheetOf(grid, lieOf(grid, viewOf(grid, "coronal")), [3, 3], false, only);
  const black = coronal.samples.filter((sample) => sample === -32768).length;
  expect(black).toBe(coronal.columns * (coronal.rows - 1));
  const axial = sheetOf(grid, lieOf(grid, viewOf(grid, "axial")), [1, 3], true, only);
  expect(Array.from(axial.samples)).toEqual(Array.from(slices[2]?.samples ?? [], (sample) => sample + 500));
});

it("layers beyond the ends are left out", () => {
  const grid = grids.feetFirst as Grid;
  const slices = slicesOf(grid);
  const lie = lieOf(grid, viewOf(grid, "axial"));
  const [beyond, within] = [sheetOf(grid, lie, [-3, 1], false, (z) => slices[z]), sheetOf(grid, lie, [0, 1], false, (z) => slices[z])];
  expect(beyond.samples).toEqual(within.samples);
});
