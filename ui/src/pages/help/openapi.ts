/** As much of an OpenAPI 3.1 document as a page of it needs. */

export interface Schema {
  $ref?: string;
  type?: string | string[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  enum?: (string | number | null)[];
  oneOf?: Schema[];
  anyOf?: Schema[];
  allOf?: Schema[];
  additionalProperties?: Schema | boolean;
  format?: string;
  pattern?: string;
}

interface Parameter {
  name: string;
  in: string;
  required?: boolean;
  description?: string;
  schema: Schema;
}

interface Said {
  operationId: string;
  summary: string;
  parameters?: Parameter[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, { description: string; content?: Record<string, { schema: Schema }> }>;
  "x-hilum-needs": string;
}

export interface Document {
  paths: Record<string, Record<string, Said>>;
  components: { schemas: Record<string, Schema> };
}

export interface Operation {
  id: string;
  method: string;
  path: string;
  summary: string;
  needs: string;
  parameters: Parameter[];
  bodies: [string, Schema][];
  answers: { status: string; description: string; content: [string, Schema][] }[];
}

const contents = (content: Record<string, { schema: Schema }> | undefined): [string, Schema][] =>
  Object.entries(content ?? {}).map(([type, { schema }]) => [type, schema]);

export function operationsOf(document: Document): Operation[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, said]) => ({
      id: said.operationId,
      method: method.toUpperCase(),
      path,
      summary: said.summary,
      needs: said["x-hilum-needs"],
      parameters: said.parameters ?? [],
      bodies: contents(said.requestBody?.content),
      answers: Object.entries(said.responses).map(([status, { description, content }]) => ({ status, description, content: contents(content) })),
    })),
  );
}

/** By the first part of the address that names something. */
export function grouped(operations: Operation[]): [string, Operation[]][] {
  const groups = new Map<string, Operation[]>();
  for (const one of operations) {
    const parts = one.path.split("/").filter((part) => part !== "");
    const group = parts[0] === "api" ? `/api/v1/${parts[2] ?? ""}` : `/${parts[0] ?? ""}`;
    groups.set(group, [...(groups.get(group) ?? []), one]);
  }
  return [...groups];
}

/** A schema in the manner of TypeScript, as deep as asked. */
export function shapeOf(schema: Schema, schemas: Record<string, Schema>, depth: number, indent = ""): string {
  const name = schema.$ref?.split("/").at(-1);
  if (name !== undefined) {
    const of = schemas[name];
    if (!of || depth <= 0) return name;
    return shapeOf(of, schemas, depth, indent);
  }
  const either = schema.oneOf ?? schema.anyOf;
  if (either) return either.map((one) => shapeOf(one, schemas, depth - 1, indent)).join(" | ");
  if (schema.allOf) return schema.allOf.map((one) => shapeOf(one, schemas, depth, indent)).join(" & ");
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" | ");
  const types = [schema.type ?? []].flat();
  const nullable = types.includes("null") ? " | null" : "";
  const type = types.find((one) => one !== "null");
  if (schema.properties) {
    if (depth <= 0) return "{ … }";
    const inner = `${indent}  `;
    const lines = Object.entries(schema.properties).map(
      ([key, value]) => `${inner}${key}${schema.required?.includes(key) ? "" : "?"}: ${shapeOf(value, schemas, depth - 1, inner)}`,
    );
    return `{\n${lines.join("\n")}\n${indent}}${nullable}`;
  }
  if (type === "array") return `${shapeOf(schema.items ?? {}, schemas, depth, indent)}[]${nullable}`;
  return `${schema.format ? `${type ?? "any value"} (${schema.format})` : (type ?? "any value")}${nullable}`;
}
