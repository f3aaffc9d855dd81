import { expect, it } from "vitest";

import { link, nearest, placesOf, type Scrolled, sense, type Unlinked } from "./link";
import type { Point3 } from "./space";
import type { Slice } from "./stack";

const axial: [Point3, Point3] = [[1, 0, 0], [0, 1, 0]];
const coronal: [Point3, Point3] = [[1, 0, 0], [0, 0, -1]];

/** A series of slices at these heights. */
function series(heights: number[], { uid = "1", orientation = axial as Slice["orientation"], corner = [-200, -180] } = {}) {
  const [x = 0, y = 0] = corner;
  const slices: Slice[] = heights.map((z, at) => ({
    load: () => Promise.reject(new Error("no pixels")), sopUid: `${uid}.${at}`, instanceNumber: at + 1, position: [x, y, z], orientation, spacing: [0.7, 0.7],
    rows: 512, columns: 512, frameOfReference: uid,
  }));
  return { seriesUid: uid, slices };
}

/** From the head down. */
const down = (top: number, step: number, count: number) => Array.from({ length: count }, (_, at) => top - step * at);

/** A viewer without its images. */
function viewer(shown: ReturnType<typeof series> | null, at: number | null) {
  const listeners = new Set<() => void>();
  let [now, slice] = [shown, at];
  const tell = () => [...listeners].forEach((listener) => listener());
  const goToSlice = (to: number) => {
    slice = Math.min(Math.max(0, to), (now?.slices.length ?? 1) - 1);
    tell();
  };
  return {
    subscribe: (listener: () => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    state: () => ({ series: now }),
    slice: () => slice,
    goToSlice,
    scroll: (by: number) => goToSlice((slice ?? 0) + by),
    show: (other: typeof now, where: number | null) => {
      [now, slice] = [other, where];
      tell();
    },
    listeners,
  } satisfies Scrolled & Record<string, unknown>;
}

const nobody = () => {
  throw new Error("unlinked");
};

it("a slice's place is its distance along the normal, wherever its corner lies", () => {
  expect(placesOf(series([50, 47, 44]).slices)).toEqual({ normal: [0, 0, 1], mm: [50, 47, 44] });
  expect(placesOf(series([50, 47, 44], { corner: [10, 3] }).slices)?.mm).toEqual([50, 47, 44]);
  const turn = (20 * Math.PI) / 180;
  const tilted = placesOf(series([0, 3], { orientation: [[1, 0, 0], [0, Math.cos(turn), Math.sin(turn)]], corner: [0, 0] }).slices);
  expect(tilted?.mm[1]).toBeCloseTo(3 * Math.cos(turn), 10);
});

it("slices that do not say where they lie, or are not parallel, have no places", () => {
  const { slices } = series([0, 3, 6]);
  const [first, second, third] = slices as [Slice, Slice, Slice];
  expect(placesOf([])).toBeNull();
  expect(placesOf([first, { ...second, position: null }])).toBeNull();
  expect(placesOf([{ ...first, orientation: null }, second])).toBeNull();
  expect(placesOf([first, second, { ...third, orientation: coronal }])).toBeNull();
});

it("the nearest slice is found also where they lie unevenly, and the ends hold", () => {
  const places = { normal: [0, 0, 1] as Point3, mm: [100, 95, 94, 60] };
  expect([99, 94.4, 70, 500, -500, 97.5].map((place) => nearest(places, place))).toEqual([0, 2, 3, 0, 3, 0]);
});

it("two studies are parallel up to some degrees, and may be looked at from either side", () => {
  const places = (normal: Point3) => ({ normal, mm: [] });
  const tilted = (degrees: number): Point3 => [0, Math.sin((degrees * Math.PI) / 180), Math.cos((degrees * Math.PI) / 180)];
  expect(sense(places([0, 0, 1]), places(tilted(10)))).toBe(1);
  expect(sense(places([0, 0, 1]), places([0, 0, -1]))).toBe(-1);
  expect(sense(places([0, 0, 1]), places(tilted(30)))).toBeNull();
});

it("the other goes as many mm as this one, from where both were when they were linked", () => {
  const [now, before] = [viewer(series(down(0, 2.5, 100)), 10), viewer(series(down(1_300, 5, 60), { uid: "2" }), 30)];
  link(now, before, nobody);
  expect(before.slice()).toBe(30);
  now.scroll(4);
  expect(before.slice()).toBe(32);
  now.scroll(-14);
  expect(before.slice()).toBe(25);
  before.scroll(3);
  expect([now.slice(), before.slice()]).toEqual([6, 28]);
});

it("a study that was numbered the other way, or lay the other way round, goes the same way in the patient", () => {
  const from = series(down(0, 5, 40));
  const [now, upwards] = [viewer(from, 10), viewer(series(down(0, 5, 40).reverse(), { uid: "2" }), 20)];
  link(now, upwards, nobody);
  now.scroll(3);
  expect(upwards.slice()).toBe(17);
  // Its rows run from left to right of the patient: its normal points to the feet.
  const turned = viewer(series(down(0, 5, 40), { uid: "3", orientation: [[-1, 0, 0], [0, 1, 0]] }), 20);
  const other = viewer(from, 10);
  link(other, turned, nobody);
  other.scroll(3);
  expect(turned.slice()).toBe(23);
});

it("nothing adds up: to and fro ends where it began, also over an end and with slices of other distances", () => {
  const [now, before] = [viewer(series(down(0, 1, 300)), 150), viewer(series(down(0, 7, 20), { uid: "2" }), 15)];
  link(now, before, nobody);
  for (let step = 0; step < 149; step += 1) now.scroll(1);
  expect([now.slice(), before.slice()]).toEqual([299, 19]);
  for (let step = 0; step < 299; step += 1) now.scroll(-1);
  expect(before.slice()).toBe(0);
  now.goToSlice(150);
  expect(before.slice()).toBe(15);
  for (let turn = 0; turn < 20; turn += 1) {
    before.scroll(1);
    now.scroll(2);
    now.scroll(-2);
    before.goToSlice(15);
  }
  expect([now.slice(), before.slice()]).toEqual([150, 15]);
});

it("who follows leads nowhere: the one that is scrolled stays where it was put, and what does not scroll it moves nothing", () => {
  const [now, before] = [viewer(series(down(0, 1, 300)), 150), viewer(series(down(0, 7, 20), { uid: "2" }), 10)];
  link(now, before, nobody);
  now.scroll(4);
  expect([now.slice(), before.slice()]).toEqual([154, 11]);
  // It is told of something else, such as its window.
  before.scroll(0);
  expect([now.slice(), before.slice()]).toEqual([154, 11]);
});

it("waits until both show a slice, and is over when it is ended", () => {
  const [now, before] = [viewer(series(down(0, 5, 40)), 10), viewer(null, null)];
  const end = link(now, before, nobody);
  now.scroll(5);
  before.show(series(down(0, 5, 40), { uid: "2" }), null);
  before.show(series(down(0, 5, 40), { uid: "2" }), 20);
  now.scroll(1);
  expect(before.slice()).toBe(21);
  end();
  now.scroll(1);
  expect([before.slice(), now.listeners.size, before.listeners.size]).toEqual([21, 0, 0]);
});

it("goes on when more slices of the series come, and ends with another series", () => {
  const ends: Unlinked[] = [];
  const [now, before] = [viewer(series(down(0, 5, 40)), 10), viewer(series(down(0, 5, 40), { uid: "2" }), 20)];
  link(now, before, (why) => ends.push(why));
  now.show(series(down(50, 5, 50)), 21);
  expect(before.slice()).toBe(21);
  now.show(series(down(0, 5, 40), { uid: "4" }), 5);
  expect([ends, before.slice(), now.listeners.size]).toEqual([["ended"], 21, 0]);
});

it("does not begin where slices are not parallel or say nothing", () => {
  const ends: Unlinked[] = [];
  const now = viewer(series(down(0, 5, 40)), 10);
  link(now, viewer(series(down(0, 5, 40), { uid: "2", orientation: coronal }), 3), (why) => ends.push(why));
  link(now, viewer(series(down(0, 5, 40), { uid: "3", orientation: null }), 3), (why) => ends.push(why));
  expect([ends, now.listeners.size]).toEqual([["apart", "apart"], 0]);
});
