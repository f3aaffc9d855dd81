import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, it } from "vitest";

import en from "../../i18n/later-en.json";

/** What `hilum doctor` can find, by its own source: the first text of each finding that is made. */
function codes(): string[] {
  const folder = join(process.cwd(), "..", "crates", "hilum", "src", "doctor");
  const sources = readdirSync(folder).map((file) => readFileSync(join(folder, file), "utf8"));
  const made = /(?:Finding::(?:serious|warning|note)|\bfinding|\bsecret)\(\s*"([a-z_]+)"/g;
  return [...new Set(sources.flatMap((text) => [...text.matchAll(made)].map(([, code]) => code ?? "")))].sort();
}

it("every finding has a title and something to do", () => {
  const found = codes();
  expect(found.length).toBeGreaterThan(40);
  const { known, todo } = en.admin.health;
  expect(Object.keys(known).sort()).toEqual(found);
  expect(Object.keys(todo).sort()).toEqual(found);
});
