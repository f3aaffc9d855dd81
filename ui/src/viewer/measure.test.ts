import { execFileSync } from "node:child_process";

import { expect, it } from "vitest";

import { measured, statistics } from "./measure";
import { type Grid, patientFromIndex, type Point3 } from "./space";

const grid: Grid = { origin: [-20, 12, 30], step: [[0.7, 0, 0], [0, 0.9, 0], [0, 0, -2.5]], size: [64, 48, 9] };
/** HU that anybody can make again. */
const hu = ([x, y, z]: Point3) => ((x * 7919 + y * 104729 + z * 1299709) % 2503) - 1024;
const at = (index: Point3) => patientFromIndex(grid, index);

it("a length is one in millimetres, and none where the geometry was refused", () => {
  const ends = [at([10, 10, 4]), at([20, 30, 4])];
  expect(measured("length", ends, grid, 2, hu, true).mm).toBeCloseTo(Math.hypot(7, 18), 10);
  expect(measured("length", ends, grid, 2, hu, false).mm).toBeNull();
});

it("a probe has the value of its voxel, and none outside", () => {
  expect(measured("probe", [at([11.4, 20.4, 3])], grid, 2, hu, true).hu?.mean).toBe(hu([11, 20, 3]));
  expect(measured("probe", [at([11, 20, 3])], grid, 2, () => undefined, true).hu).toBeNull();
});

it("nothing has no statistics", () => {
  expect(statistics([])).toBeNull();
});

const python = process.env.HILUM_ORACLE_PYTHON;
const required = process.env.HILUM_REQUIRE_ORACLES === "1";
if (!python && !required) console.log("SKIPPED: statistics beside numpy: no Python with the oracles (cargo xtask test --install)");

it.skipIf(!python && !required)("an ellipse has mean, deviation, extremes, count and area as numpy finds them, in each plane", () => {
  const cases = [
    { axis: 2 as const, middle: [30, 20, 4] as Point3, a: [41.3, 20, 4] as Point3, b: [30, 27.2, 4] as Point3 },
    { axis: 1 as const, middle: [30, 20, 4] as Point3, a: [38, 20, 4] as Point3, b: [30, 20, 6.4] as Point3 },
    { axis: 0 as const, middle: [30, 24, 4] as Point3, a: [30, 31.5, 4] as Point3, b: [30, 24, 1.2] as Point3 },
    // Turned: its axes lie between rows and columns.
    { axis: 2 as const, middle: [30, 20, 4] as Point3, a: [36, 25, 4] as Point3, b: [25, 26, 4] as Point3 },
  ].map(({ axis, middle, a, b }) => ({ axis, points: [middle, a, b].map(at) }));
  const script = `
import json, sys, numpy as np
given = json.load(sys.stdin); out = []
z, y, x = np.mgrid[0:9, 0:48, 0:64]
values = (x * 7919 + y * 104729 + z * 1299709) % 2503 - 1024
place = np.stack([-20 + 0.7 * x, 12 + 0.9 * y, 30 - 2.5 * z], -1)
for case in given:
    c, p, q = np.array(case["points"]); a = p - c; b = q - c; b = b - a * (a @ b) / (a @ a)
    layer = {2: z == round((30 - c[2]) / 2.5), 1: y == round((c[1] - 12) / 0.9), 0: x == round((c[0] + 20) / 0.7)}[case["axis"]]
    d = place - c
    inside = layer & (((d @ a) / (a @ a)) ** 2 + ((d @ b) / (b @ b)) ** 2 <= 1)
    v = values[inside]
    out.append([int(v.size), float(v.mean()), float(v.std()), int(v.min()), int(v.max()), float(np.pi * np.linalg.norm(a) * np.linalg.norm(b))])
print(json.dumps(out))`;
  const said = execFileSync(python ?? "", ["-c", script], { input: JSON.stringify(cases), encoding: "utf8" });
  const expected = JSON.parse(said) as number[][];
  cases.forEach(({ axis, points }, index) => {
    const found = measured("ellipse", points, grid, axis, hu, true);
    const ours = [found.hu?.count, found.hu?.mean, found.hu?.sd, found.hu?.min, found.hu?.max, found.area];
    expect(found.hu?.count).toBeGreaterThan(20);
    ours.forEach((value, at) => expect(value).toBeCloseTo(expected[index]?.[at] ?? NaN, 6));
  });
});
