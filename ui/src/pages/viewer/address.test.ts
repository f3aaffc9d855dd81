import { expect, it } from "vitest";

import { lookedAt } from "./address";

it("what is looked at stands in the address, and what makes no sense there is nothing", () => {
  expect(lookedAt(new URLSearchParams("series=1.2.3&image=12&layout=mpr&preset=liver&finding=2"))).toEqual({
    series: "1.2.3", image: 11, layout: "mpr", window: { width: 150, centre: 30 }, finding: 2,
  });
  expect(lookedAt(new URLSearchParams("window=1234/-56")).window).toEqual({ width: 1234, centre: -56 });
  expect(lookedAt(new URLSearchParams("image=-1&layout=round&preset=constructor&window=0/5&finding=x"))).toEqual({
    series: null, image: null, layout: null, window: null, finding: null,
  });
});
