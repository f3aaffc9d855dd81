import { execFileSync } from "node:child_process";

import { expect, it } from "vitest";

import { paint, type Placing } from "./paint";
import type { Picture } from "./picture";

const [columns, rows] = [40, 30];
/** Stored values that anybody can make again. */
const stored = Int16Array.from({ length: columns * rows }, (_, at) => ((((at % columns) * 7919 + Math.floor(at / columns) * 104729) % 1201) - 300));
const picture: Picture = { rows, columns, colour: false, samples: stored, slope: 2, intercept: -24, inverse: false };
const window = { width: 1800, centre: 500 };
const colours = (width: number, height: number, of: Picture, placing: Placing, through: typeof window | null) => {
  const pixels = new Uint32Array(width * height);
  paint({ width, height, pixels }, of, placing, through);
  return pixels;
};
const greysOf = (pixels: Uint32Array) => Array.from(pixels, (pixel) => {
  expect([pixel & 255, (pixel >> 8) & 255, pixel >>> 24]).toEqual([(pixel >> 16) & 255, (pixel >> 16) & 255, 255]);
  return pixel & 255;
});

const python = process.env.HILUM_ORACLE_PYTHON;
const required = process.env.HILUM_REQUIRE_ORACLES === "1";
if (!python && !required) console.log("SKIPPED: painting beside SciPy: no Python with the oracles (cargo xtask test --install)");

it.skipIf(!python && !required)("greys are those that SciPy finds between the pixels: enlarged, moved out of the canvas, at their size, a half smaller", () => {
  const [width, height] = [61, 47];
  const placings: Placing[] = [
    { left: -0.3, top: 0.2, across: 0.61, down: 0.55 },
    { left: -12.25, top: 9.5, across: 0.4, down: 0.4 },
    { left: -10, top: -8, across: 1, down: 1 },
    { left: -3.1, top: -2.7, across: 1.7, down: 1.3 },
  ];
  const script = `
import json, sys, numpy as np
from scipy.ndimage import map_coordinates
given = json.load(sys.stdin); out = []
y, x = np.mgrid[0:${rows}, 0:${columns}]
hu = ((x * 7919 + y * 104729) % 1201 - 300) * 2.0 - 24
for p in given:
    at = np.arange(${width}) * p["across"] + p["left"]; down = np.arange(${height}) * p["down"] + p["top"]
    yy, xx = np.meshgrid(down, at, indexing="ij")
    value = map_coordinates(hu, [yy, xx], order=1, mode="nearest")
    grey = np.clip((value - (500 - 900)) / 1800, 0, 1) * 255
    grey[(xx < -0.5) | (xx >= ${columns} - 0.5) | (yy < -0.5) | (yy >= ${rows} - 0.5)] = 0
    out.append(grey.ravel().tolist())
print(json.dumps(out))`;
  const expected = JSON.parse(execFileSync(python ?? "", ["-c", script], { input: JSON.stringify(placings), encoding: "utf8" })) as number[][];
  placings.forEach((placing, which) => {
    const ours = greysOf(colours(width, height, picture, placing, window));
    // Rounded to whole greys.
    const apart = ours.map((grey, at) => Math.abs(grey - (expected[which]?.[at] ?? NaN)));
    expect(Math.max(...apart)).toBeLessThan(0.51);
    expect(new Set(ours).size).toBeGreaterThan(100);
  });
});

it("of a picture that is shown much smaller, each grey is the mean of what falls together", () => {
  const checked = { ...picture, slope: 1, intercept: 0, samples: Uint8Array.from({ length: columns * rows }, (_, at) => ((at + Math.floor(at / columns)) % 2) * 255) };
  const greys = greysOf(colours(20, 15, checked, { left: 0.5, top: 0.5, across: 2, down: 2 }, { width: 255, centre: 127.5 }));
  expect(new Set(greys)).toEqual(new Set([128]));
});

it("without a window the smallest value is black and the largest white; MONOCHROME1 the other way round", () => {
  const flat = { left: 0, top: 0, across: 1, down: 1 };
  const greys = greysOf(colours(columns, rows, picture, flat, null));
  const [low, high] = [Math.min(...stored), Math.max(...stored)];
  stored.forEach((value, at) => expect(greys[at]).toBe(Math.floor(((value - low) / (high - low)) * 255 + 0.5)));
  expect(greysOf(colours(columns, rows, { ...picture, inverse: true }, flat, null))).toEqual(greys.map((grey) => 255 - grey));
  const falling = greysOf(colours(columns, rows, { ...picture, slope: -2 }, flat, null));
  falling.forEach((grey, at) => expect(Math.abs(grey - (255 - (greys[at] ?? 0)))).toBeLessThanOrEqual(1));
});

it("colours stay what they are, and are interpolated each for itself", () => {
  const two: Picture = { rows: 1, columns: 2, colour: true, samples: Uint8Array.from([10, 20, 30, 50, 100, 230]), slope: 1, intercept: 0, inverse: false };
  const [one, middle, other] = colours(3, 1, two, { left: 0, top: 0, across: 0.5, down: 1 }, null);
  expect([one, middle, other].map((pixel = 0) => [pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255])).toEqual([[10, 20, 30], [30, 60, 130], [50, 100, 230]]);
});

it("a picture of one pixel fills what it covers", () => {
  const one: Picture = { ...picture, rows: 1, columns: 1, samples: Int16Array.from([500]), slope: 1, intercept: 0 };
  expect(greysOf(colours(4, 1, one, { left: -1, top: 0, across: 0.5, down: 1 }, { width: 1000, centre: 500 }))).toEqual([0, 128, 128, 0]);
});
