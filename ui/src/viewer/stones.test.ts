import { expect, it } from "vitest";

import type { Grid } from "./space";
import { boxOf, indexOf, type LabelMap, margin, painted, pathsOf, runsIn, stonesIn, voxelOf } from "./stones";

/** Read from the feet up; looked at from the head down. */
const read: LabelMap = {
  version: 1, series_uid: "1.2", shape: [10, 20, 30], origin_mm: [0, 0, 0], step_mm: [[1, 0, 0], [0, 1, 0], [0, 0, 2]],
  stones: [
    { number: 1, corrected: false, runs: [[2, 5, 7, 3], [2, 6, 7, 2], [3, 5, 8, 1]] },
    { number: 2, corrected: false, runs: [[9, 19, 29, 1]] },
    { number: 3, corrected: false, runs: [] },
  ],
};
const grid: Grid = { origin: [0, 0, 18], step: [[1, 0, 0], [0, 1, 0], [0, 0, -2]], size: [30, 20, 10] };

it("a stone lies where it was found, whichever end the slices are counted from; one without voxels is not drawn", () => {
  const stones = stonesIn(grid, read);
  expect(stones.map(({ number }) => number)).toEqual([1, 2]);
  const [first, second] = stones;
  expect(first?.voxels.size).toBe(6);
  expect(first?.bounds).toEqual({ low: [7, 5, 6], high: [9, 6, 7] });
  expect(first?.voxels.has(voxelOf(grid, [8, 5, 6]))).toBe(true);
  expect(second?.centre).toEqual([29, 19, 18]);
});

it("the voxels of another patient's place are left out", () => {
  expect(stonesIn({ ...grid, origin: [1000, 0, 18] }, read)).toEqual([]);
});

it("a box has room around the stone, in millimetres along each axis", () => {
  const [stone] = stonesIn(grid, read);
  const box = boxOf(grid, stone!);
  expect(box.low).toEqual([7 - 0.5 - margin, 5 - 0.5 - margin, 6 - 0.5 - margin / 2]);
  expect(box.high).toEqual([9 + 0.5 + margin, 6 + 0.5 + margin, 7 + 0.5 + margin / 2]);
});

it("a layer shows the cells of a stone and the line around them, and nothing where it is not", () => {
  const [stone] = stonesIn(grid, read);
  const axial = pathsOf(grid, stone!, 2, 7, 7);
  expect(axial?.fill.match(/M/g)).toHaveLength(5);
  // An L of three and two cells has a line of ten sides.
  expect(axial?.line.match(/M/g)).toHaveLength(10);
  expect(pathsOf(grid, stone!, 2, 8, 8)).toBeNull();
  expect(pathsOf(grid, stone!, 1, 6, 6)?.fill).toBe("M6.5 6.5H7.5V7.5H6.5ZM7.5 6.5H8.5V7.5H7.5Z");
  // Through both of its layers the cells lie over each other.
  expect(pathsOf(grid, stone!, 2, 6, 7)?.fill.match(/M/g)).toHaveLength(5);
  expect(indexOf(grid, voxelOf(grid, [29, 19, 9]))).toEqual([29, 19, 9]);
});

it("a stone's voxels become the runs again that they were", () => {
  const [stone] = stonesIn(grid, read);
  expect(runsIn(read, grid, stone!.voxels)).toEqual(read.stones[0]!.runs);
});

it("a brush adds the voxels within its radius in one layer, an eraser takes them away", () => {
  const nothing = new Set<number>();
  const point = [10, 10, 8] as [number, number, number];
  const disc = painted(grid, nothing, 2, point, 1, true);
  expect([...disc].map((voxel) => indexOf(grid, voxel).join()).sort()).toEqual(["10,10,5", "10,11,5", "10,9,5", "11,10,5", "9,10,5"].sort());
  // Slices lie 2 mm apart: in a coronal layer the disc is one voxel high.
  expect(painted(grid, nothing, 1, point, 1.9, true).size).toBe(3);
  expect(painted(grid, disc, 2, point, 0.5, false).size).toBe(4);
  expect(disc.size).toBe(5);
});
