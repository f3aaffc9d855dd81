import { expect, it } from "vitest";

import { headerOf, type PixelFacts } from "./header";
import { native, PixelError, valueAt } from "./picture";

const facts: PixelFacts = {
  rows: 1, columns: 4, samples: 1, photometric: "MONOCHROME2", planar: 0, allocated: 16, stored: 12, highBit: 11, signed: false, slope: 1, intercept: -1024, inverse: false,
};
const bytesOf = (words: number[]) => new Uint8Array(Uint16Array.from(words).buffer);
const values = (words: number[], more: Partial<PixelFacts> = {}, bigEndian = false) => {
  const picture = native(bytesOf(words), { ...facts, ...more }, bigEndian);
  return [0, 1, 2, 3].map((x) => valueAt(picture, x, 0));
};

it("HU are stored bits times the slope, and the intercept; what lies beside the stored bits is not theirs", () => {
  expect(values([0, 1024, 4095, 0xf400])).toEqual([-1024, 0, 3071, 0]);
  expect(values([0, 1024, 4095, 2], { slope: 2.5, intercept: -10 })).toEqual([-10, 2550, 10227.5, -5]);
});

it("a sign is carried up from the highest stored bit", () => {
  expect(values([0, 0x7ff, 0x800, 0xfff], { signed: true, intercept: 0 })).toEqual([0, 2047, -2048, -1]);
  expect(values([0x0010, 0x7ff0, 0x8000, 0xfff3], { signed: true, intercept: 0, highBit: 15 })).toEqual([1, 2047, -2048, -1]);
  expect(values([0, 0x7fff, 0x8000, 0xffff], { signed: true, intercept: 0, stored: 16, highBit: 15 })).toEqual([0, 32767, -32768, -1]);
});

it("Big Endian, odd places in memory, and a pad at the end make no difference", () => {
  expect(values([0x0004, 0x0001, 0xff0f, 0], {}, true)).toEqual([0, -768, 3071, -1024]);
  const odd = new Uint8Array([9, ...bytesOf([1024, 1025, 1026, 1027]), 0, 0]).subarray(1);
  expect([0, 1, 2, 3].map((x) => valueAt(native(odd, facts), x, 0))).toEqual([0, 1, 2, 3]);
});

it("fewer pixels than the header says are refused", () => {
  expect(() => native(bytesOf([1, 2, 3]), facts)).toThrow(PixelError);
});

const colour: Partial<PixelFacts> = { samples: 3, photometric: "RGB", allocated: 8, stored: 8, highBit: 7, columns: 2 };
const rgb = (bytes: number[], more: Partial<PixelFacts> = {}) => Array.from(native(Uint8Array.from(bytes), { ...facts, ...colour, ...more }).samples);

it("colours stand together, in planes, in luminance and chrominance, or in a palette", () => {
  expect(rgb([1, 2, 3, 4, 5, 6])).toEqual([1, 2, 3, 4, 5, 6]);
  expect(rgb([1, 4, 2, 5, 3, 6], { planar: 1 })).toEqual([1, 2, 3, 4, 5, 6]);
  // Grey, and red as PS3.3 C.7.6.3.1.2 has it.
  expect(rgb([100, 128, 128, 76, 85, 255], { photometric: "YBR_FULL" })).toEqual([100, 100, 100, 254, 0, 0]);
  expect(rgb([100, 50, 128, 128], { photometric: "YBR_FULL_422" })).toEqual([100, 100, 100, 50, 50, 50]);
  const palette = { first: 10, entries: [[1, 2, 3], [4, 5, 6], [7, 8, 9]] as [number[], number[], number[]] };
  const indexed = native(Uint8Array.from([9, 12]), { ...facts, ...colour, samples: 1, photometric: "PALETTE COLOR" }, false, palette);
  expect(Array.from(indexed.samples)).toEqual([1, 4, 7, 3, 6, 9]);
  expect(valueAt(indexed, 0, 0)).toBeUndefined();
});

const value = (...Value: unknown[]) => ({ Value });

it("a header says place, spacing, window and bits; what it does not say is absent", () => {
  const bare = headerOf({ "00280010": value(2), "00280011": value(3), "00280100": value(16) }, 0);
  expect(bare).toMatchObject({ position: null, orientation: null, spacing: null, frameOfReference: null, window: null });
  expect(bare.pixels).toMatchObject({ rows: 2, columns: 3, samples: 1, stored: 16, highBit: 15, signed: false, slope: 1, intercept: 0 });
  const ct = headerOf({
    "00200032": value(-1, -2, 3.5), "00200037": value(1, 0, 0, 0, 1, 0), "00280030": value(0.7, 0.8), "00281050": value(40, 300), "00281051": value(400, 1500),
    "00281052": value(-1024), "00281053": value(1), "00280004": value("MONOCHROME1"), "00280103": value(1), "00280101": value(12), "00280102": value(11),
  }, 0);
  expect(ct).toMatchObject({ position: [-1, -2, 3.5], orientation: [[1, 0, 0], [0, 1, 0]], spacing: [0.7, 0.8], window: { centre: 40, width: 400 } });
  expect(ct.pixels).toMatchObject({ stored: 12, highBit: 11, signed: true, intercept: -1024, inverse: true });
});

it("frames of one object have places of their own, and share what is shared (PS3.3 C.7.6.16)", () => {
  const place = (z: number) => ({ "00209113": value({ "00200032": value(0, 0, z) }) });
  const enhanced = {
    "00280008": value(2),
    "52009229": value({ "00209116": value({ "00200037": value(1, 0, 0, 0, 1, 0) }), "00289110": value({ "00280030": value(0.5, 0.6) }), "00289145": value({ "00281052": value(-1000), "00281053": value(2) }) }),
    "52009230": value(place(10), place(12.5)),
  };
  expect([0, 1].map((frame) => headerOf(enhanced, frame).position)).toEqual([[0, 0, 10], [0, 0, 12.5]]);
  expect(headerOf(enhanced, 1)).toMatchObject({ spacing: [0.5, 0.6], orientation: [[1, 0, 0], [0, 1, 0]], pixels: { slope: 2, intercept: -1000 } });
});
