import { describe, expect, it } from "vitest";

import en from "./en.json";
import ko from "./ko.json";

/** Every key path of a language; plural forms count as one (Korean has only "other"). */
function keys(tree: object, path = ""): string[] {
  return Object.entries(tree).flatMap(([key, value]) =>
    typeof value === "object" && value !== null
      ? keys(value as object, `${path}${key}.`)
      : [`${path}${key}`.replace(/_(one|other)$/, "")],
  );
}

/** What a text leaves open, `{{name}}`. */
function gaps(tree: object, path = ""): Map<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of Object.entries(tree)) {
    if (typeof value === "string") {
      found.set(`${path}${key}`, [...value.matchAll(/\{\{(\w+)\}\}/g)].map((match) => match[1]).sort().join());
    } else {
      for (const [inner, gap] of gaps(value as object, `${path}${key}.`)) found.set(inner, gap);
    }
  }
  return found;
}

/** Sentences that the server says in English with its figures; Korean translates them by their code. */
const byCode = (key: string) => key.startsWith("notes.");

describe("the two languages", () => {
  it("say the same things", () => {
    expect([...new Set(keys(ko))].filter((key) => !byCode(key)).sort()).toEqual([...new Set(keys(en))].sort());
  });

  it("leave the same gaps in each sentence", () => {
    const english = gaps(en);
    for (const [key, gap] of gaps(ko)) if (!byCode(key)) expect([key, gap]).toEqual([key, english.get(key)]);
  });
});
