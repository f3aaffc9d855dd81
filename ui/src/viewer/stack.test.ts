import { expect, it } from "vitest";

import { type Slice, stackOf } from "./stack";

const slice = (number: number, z: number, more: Partial<Slice> = {}): Slice => ({
  load: () => Promise.reject(new Error("no pixels")), sopUid: `1.${number}`, instanceNumber: number, position: [-100, -100, z], orientation: [[1, 0, 0], [0, 1, 0]],
  spacing: [0.7, 0.8], rows: 512, columns: 256, frameOfReference: "1.2", ...more,
});
const numbers = (slices: Slice[]) => stackOf(slices).slices.map(({ instanceNumber }) => instanceNumber);

it("slices come in the order of their numbers where that is one in space, whichever way", () => {
  expect(numbers([slice(2, 3), slice(1, 0), slice(3, 6)])).toEqual([1, 2, 3]);
  expect(numbers([slice(2, 3), slice(1, 6), slice(3, 0)])).toEqual([1, 2, 3]);
});

it("else from the head down", () => {
  expect(numbers([slice(1, 3), slice(2, 0), slice(3, 6)])).toEqual([3, 1, 2]);
});

it("a regular stack has a grid: across, down, through", () => {
  expect(stackOf([slice(1, 6), slice(2, 3), slice(3, 0)]).grid).toEqual({
    origin: [-100, -100, 6], step: [[0.8, 0, 0], [0, 0.7, 0], [0, 0, -3]], size: [256, 512, 3],
  });
});

it("one image alone has millimetres in its plane", () => {
  expect(stackOf([slice(1, 5)]).grid).toEqual({ origin: [-100, -100, 5], step: [[0.8, 0, 0], [0, 0.7, 0], [0, 0, 1]], size: [256, 512, 1] });
});

it("what is no regular volume has none: a gap, a tilt, another size, another direction, no position", () => {
  const regular = [slice(1, 0), slice(2, 3), slice(3, 6), slice(4, 9)];
  const but = (at: number, more: Partial<Slice>) => stackOf(regular.map((one, index) => (index === at ? { ...one, ...more } : one))).grid;
  expect(but(0, {})).not.toBeNull();
  expect(but(2, { position: [-100, -100, 7] })).toBeNull();
  expect(but(3, { rows: 256 })).toBeNull();
  expect(but(1, { orientation: [[0, 1, 0], [1, 0, 0]] })).toBeNull();
  expect(but(1, { position: null })).toBeNull();
  expect(but(1, { spacing: null })).toBeNull();
  // A tilted gantry moves each slice along the patient's front.
  expect(stackOf(regular.map((one, at) => ({ ...one, position: [-100, -100 + at, at * 3] }))).grid).toBeNull();
  expect(stackOf([slice(1, 0, { spacing: null })]).grid).toBeNull();
});
