import { expect, it, vi } from "vitest";

import { Images } from "./images";
import type { Picture } from "./picture";
import type { Slice } from "./stack";

const picture = (bytes: number): Picture => ({ rows: 1, columns: bytes, colour: false, samples: new Uint8Array(bytes), slope: 1, intercept: 0, inverse: false });
const sliceThat = (load: Slice["load"]): Slice => ({
  load, sopUid: "1.2", instanceNumber: 1, position: null, orientation: null, spacing: null, rows: 1, columns: 1, frameOfReference: null,
});
const slice = (bytes = 10) => sliceThat(() => Promise.resolve(picture(bytes)));

it("what was not looked at for the longest time goes first, and what is there is fetched once", async () => {
  const load = vi.fn(() => Promise.resolve(picture(10)));
  const [a, b, c, d] = [sliceThat(load), slice(), slice(), slice()];
  const images = new Images(30, () => undefined, () => undefined);
  await Promise.all([a, b, c].map((one) => images.load(one)));
  await Promise.all([images.load(a), images.load(a)]);
  images.peek(b);
  await images.load(d);
  expect([a, b, c, d].map((one) => images.has(one))).toEqual([true, false, true, true]);
  expect(load).toHaveBeenCalledTimes(1);
  images.allow(5);
  expect([a, b, c, d].filter((one) => images.has(one))).toEqual([d]);
});

it("what is let go of ends, is not held when it comes after all, and is no failure", async () => {
  const [came, failed] = [vi.fn(), vi.fn()];
  const images = new Images(100, came, failed);
  let signal: AbortSignal | undefined;
  const late = sliceThat((given) => {
    signal = given;
    return new Promise((done) => setTimeout(() => done(picture(10)), 5));
  });
  const loading = images.load(late);
  images.clear();
  expect(signal?.aborted).toBe(true);
  await loading;
  expect([images.has(late), came.mock.calls.length, failed.mock.calls.length]).toEqual([false, 0, 0]);
});

it("what fails is told once, and fetched anew when it is asked for again", async () => {
  const failed = vi.fn();
  let times = 0;
  const broken = sliceThat(() => ((times += 1) === 1 ? Promise.reject(new Error("broken")) : Promise.resolve(picture(1))));
  const images = new Images(100, () => undefined, failed);
  await expect(images.load(broken)).rejects.toThrow("broken");
  expect(failed).toHaveBeenCalledTimes(1);
  await images.load(broken);
  expect(images.has(broken)).toBe(true);
});
