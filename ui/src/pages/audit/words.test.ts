import { expect, it } from "vitest";

import { dayBegins } from "./words";

it("a day is the reader's day, from its first moment to the next day's", () => {
  expect(dayBegins("2026-11-26")).toBe(new Date(2026, 10, 26).toISOString());
  expect(dayBegins("2026-12-31", 1)).toBe(new Date(2027, 0, 1).toISOString());
  expect([dayBegins(""), dayBegins("2026-1")]).toEqual(["", ""]);
});
