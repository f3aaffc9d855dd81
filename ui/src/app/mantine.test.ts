import { readFileSync } from "node:fs";

import { expect, it } from "vitest";

// Vitest empties what is imported of style sheets.
const styles = readFileSync("src/app/mantine.css", "utf8");

const sources = import.meta.glob<string>("../**/*.{ts,tsx}", { query: "?raw", import: "default", eager: true });
const written = import.meta.glob<string>("../../node_modules/@mantine/core/styles/*.css", { query: "?raw", import: "default" });

it("has the styles of every component that is used", () => {
  const names = new Set(Object.keys(written).map((path) => path.replace(/^.*\//, "").replace(/\.css$/, "")));
  const used = new Set<string>();
  for (const text of Object.values(sources)) {
    for (const [, list = ""] of text.matchAll(/import (?:type )?\{([^}]*)\} from "@mantine\/core"/g)) {
      for (const [name] of list.matchAll(/\b[A-Z]\w+/g)) if (names.has(name)) used.add(name);
    }
  }
  expect(used.size).toBeGreaterThan(30);
  expect([...used].filter((name) => !styles.includes(`/styles/${name}.css"`))).toEqual([]);
});
