import { expect, it } from "vitest";

import { Prefetch, wantedAround } from "./prefetch";

it("what lies ahead comes before what lies behind, and nothing beyond the ends", () => {
  expect(wantedAround(3, 1, 6, true)).toEqual([4, 2, 5, 1, 0]);
  expect(wantedAround(3, -1, 6, true)).toEqual([2, 4, 1, 5, 0]);
  expect(wantedAround(500, 1, 1500, false)).toHaveLength(52);
});

it("a new position takes the place of the one before, and no more than four are fetched at once", async () => {
  const fetched: number[] = [];
  const finish: (() => void)[] = [];
  const prefetch = new Prefetch(1500, false, (index) => fetched.includes(index), (index) => {
    fetched.push(index);
    return new Promise<void>((done) => finish.push(done));
  });
  prefetch.at(100);
  expect(fetched).toHaveLength(4);
  prefetch.at(900);
  finish.splice(0).forEach((done) => done());
  await new Promise((done) => setTimeout(done, 0));
  expect(fetched.slice(4)).toEqual([901, 899, 902, 898]);
  prefetch.end();
  finish.splice(0).forEach((done) => done());
  await new Promise((done) => setTimeout(done, 0));
  expect(fetched).toHaveLength(8);
});
