import { describe, expect, it } from "vitest";

import { displayName, millimetres } from "./text";

describe("displayName", () => {
  it("turns component separators into spaces", () => {
    expect(displayName("Hong^Gildong^^Dr.")).toBe("Hong Gildong Dr.");
    expect(displayName("洪^吉洞")).toBe("洪 吉洞");
  });
});

describe("millimetres", () => {
  it("shows no length for a refused geometry", () => {
    expect(millimetres(null)).toBe("–");
    expect(millimetres(4.26)).toBe("4.3");
  });
});
