import { afterEach, expect, it, vi } from "vitest";

import { storeFiles } from "./stow";

afterEach(() => vi.unstubAllGlobals());

it("sends files in batches and counts what the archive kept and refused (PS3.18 10.5.3)", async () => {
  const bodies: string[] = [];
  vi.stubGlobal("fetch", async (_path: string, init: RequestInit) => {
    const type = new Headers(init.headers).get("Content-Type") ?? "";
    const body = await (init.body as Blob).text();
    expect(body.startsWith(`--${type.split("boundary=")[1]}\r\nContent-Type: application/dicom\r\n\r\n`)).toBe(true);
    bodies.push(body);
    const parts = body.split("Content-Type: application/dicom").length - 1;
    return Response.json({ "00081199": { Value: Array(parts - 1).fill({}) }, "00081198": { Value: [{}] } }, { status: 202 });
  });
  const files = Array.from({ length: 45 }, (_, index) => new File([`slice ${index}`], `${index}.dcm`));
  const seen: number[] = [];
  const stored = await storeFiles(files, (done) => seen.push(done));
  expect(seen).toEqual([20, 40, 45]);
  expect(bodies.length).toBe(3);
  expect(bodies[2]).toContain("slice 44");
  expect(stored).toEqual({ kept: 42, refused: 3 });
});
