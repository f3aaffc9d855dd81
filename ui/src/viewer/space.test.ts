import { expect, it } from "vitest";

import { cross, dot, type Grid, indexFromPatient, letters, patientFromIndex, type Point3, roundLength, times, viewOf } from "./space";

const axial: Grid = { origin: [-200, -180, 50], step: [[0.7, 0, 0], [0, 0.7, 0], [0, 0, -3]], size: [512, 512, 60] };

/** A patient who lay turned by 20 degrees about the long axis. */
const turn = (20 * Math.PI) / 180;
const oblique: Grid = {
  origin: [3, 5, 7],
  step: [[Math.cos(turn) * 0.8, Math.sin(turn) * 0.8, 0], [-Math.sin(turn) * 0.8, Math.cos(turn) * 0.8, 0], [0, 0, 2]],
  size: [100, 90, 40],
};

it("a voxel's place is found again from the patient, also in an oblique grid", () => {
  for (const grid of [axial, oblique]) {
    for (const index of [[0, 0, 0], [17, 3, 29], [99.5, 41.25, 8]] as Point3[]) {
      indexFromPatient(grid, patientFromIndex(grid, index)).forEach((value, axis) => expect(value).toBeCloseTo(index[axis] ?? NaN, 8));
    }
  }
});

it("planes are looked at as radiologists do: from the feet with the left on the right, from the front, from the left", () => {
  const right = (plane: "axial" | "coronal" | "sagittal", grid: Grid) => {
    const { normal, up } = viewOf(grid, plane);
    return { right: letters(cross(up, normal)), down: letters(times(up, -1)), axis: viewOf(grid, plane).axis };
  };
  expect(right("axial", axial)).toEqual({ right: "L", down: "P", axis: 2 });
  expect(right("coronal", axial)).toEqual({ right: "L", down: "F", axis: 1 });
  expect(right("sagittal", axial)).toEqual({ right: "P", down: "F", axis: 0 });
});

it("planes of an oblique grid are its own layers, and still perpendicular to each other", () => {
  const views = (["axial", "coronal", "sagittal"] as const).map((plane) => viewOf(oblique, plane));
  expect(views.map(({ axis }) => axis)).toEqual([2, 1, 0]);
  for (const { normal, up } of views) expect(dot(normal, up)).toBeCloseTo(0, 12);
});

it("letters name the strongest direction first", () => {
  expect([letters([1, 0, 0]), letters([0, -1, 0]), letters([0, 0, 1]), letters([0, 0, -1])]).toEqual(["L", "A", "H", "F"]);
  expect(letters([0.5, 0, -0.86])).toBe("FL");
});

it("a scale bar has a round length", () => {
  expect([137, 50, 9.9, 0.7].map(roundLength)).toEqual([100, 50, 5, 0.5]);
});
