import { describe, expect, it } from "vitest";

import { isGood, kept } from "./password";

const twice = (password: string) => ({ password, repeated: password });

describe("a new password", () => {
  it("has at least fifteen characters, whatever they take to store and however they were typed", () => {
    const fourteen = "한강산책노래우산바람구름하늘";
    expect(kept(twice(fourteen.normalize("NFD")), "kim").long).toBe(false);
    expect(kept(twice(`${fourteen}길`), "kim").long).toBe(true);
    expect(kept(twice("🫁".repeat(8)), "kim").long).toBe(false);
    expect(kept(twice("x7".repeat(150)), "kim").long).toBe(false);
  });

  it("is not the login, in capitals neither", () => {
    expect(isGood(twice("Head.Of.Radiology"), " head.of.radiology ")).toBe(false);
    expect(isGood(twice("Head.Of.Radiology2"), "head.of.radiology")).toBe(true);
  });

  it("is typed twice", () => {
    expect(isGood({ password: "a sentence of mine", repeated: "a sentence of mind" }, "kim")).toBe(false);
  });

  it("needs no digit, capital or symbol", () => {
    expect(isGood(twice("green like grass"), "kim")).toBe(true);
  });
});
