import { describe, expect, it } from "vitest";

import pinned from "../../../../docs/openapi.json";
import { type Document, grouped, operationsOf, shapeOf } from "./openapi";

const document = pinned as unknown as Document;

describe("the page of the API", () => {
  it("has every operation of the document once, in a group", () => {
    const all = operationsOf(document);
    const count = Object.values(document.paths).reduce((sum, methods) => sum + Object.keys(methods).length, 0);
    expect(all.length).toBe(count);
    expect(new Set(all.map(({ id }) => id)).size).toBe(count);
    expect(grouped(all).flatMap(([, operations]) => operations).length).toBe(count);
    for (const one of all) expect([one.path, one.summary.length > 5, one.needs.length > 0]).toEqual([one.path, true, true]);
  });

  it("shows a schema as it is written, however deep it goes", () => {
    const { schemas } = document.components;
    expect(shapeOf({ $ref: "#/components/schemas/Note" }, schemas, 3)).toBe("{\n  code: string\n  text: string\n}");
    expect(shapeOf({ type: ["array", "null"], items: { $ref: "#/components/schemas/Note" } }, schemas, 0)).toBe("Note[] | null");
    for (const [name, schema] of Object.entries(schemas)) expect([name, shapeOf(schema, schemas, 6).includes("undefined")]).toEqual([name, false]);
  });
});
