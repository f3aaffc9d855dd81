import { expect, it } from "vitest";

import { bytesText } from "./bytes";

it("says bytes by thousands", () => {
  expect([0, 999, 1000, 1550, 52_400_000, 7_300_000_000, 2e15].map((bytes) => bytesText(bytes, "en"))).toEqual([
    "0 bytes", "999 bytes", "1 kB", "1.6 kB", "52 MB", "7.3 GB", "2,000 TB",
  ]);
});
