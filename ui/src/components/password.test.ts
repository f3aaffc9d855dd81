import { describe, expect, it } from "vitest";

import { isGood, kept } from "./password";

const twice = (password: string) => ({ password, repeated: password });

describe("a new password", () => {
  it("has at least twelve characters, whatever they take to store", () => {
    expect(kept(twice("한강산책노래우산바람구"), "kim").long).toBe(false);
    expect(kept(twice("한강산책노래우산바람구름"), "kim").long).toBe(true);
    expect(kept(twice("🫁🫁🫁🫁🫁🫁"), "kim").long).toBe(false);
  });

  it("is not the login, in capitals neither", () => {
    expect(isGood(twice("Radiology.Lead"), " radiology.lead ")).toBe(false);
    expect(isGood(twice("Radiology.Lead2"), "radiology.lead")).toBe(true);
  });

  it("is typed twice", () => {
    expect(isGood({ password: "a sentence of mine", repeated: "a sentence of mind" }, "kim")).toBe(false);
  });

  it("needs no digit, capital or symbol", () => {
    expect(isGood(twice("green like grass"), "kim")).toBe(true);
  });
});
