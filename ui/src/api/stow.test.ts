import { afterEach, expect, it, vi } from "vitest";

import { store } from "./stow";

afterEach(() => vi.unstubAllGlobals());

const items = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ path: `${index}.dcm`, file: new Blob([index === 2 ? "broken" : `slice ${index}`]) }));

/** An archive that takes everything but what is broken (PS3.18 10.5.3). */
function archive() {
  const requests: number[] = [];
  vi.stubGlobal("fetch", async (_path: string, init: RequestInit) => {
    const type = new Headers(init.headers).get("Content-Type") ?? "";
    const body = await (init.body as Blob).text();
    expect(body.startsWith(`--${type.split("boundary=")[1]}\r\nContent-Type: application/dicom\r\n\r\n`)).toBe(true);
    const parts = body.split("Content-Type: application/dicom").length - 1;
    requests.push(parts);
    const broken = body.includes("broken") ? 1 : 0;
    const kept = parts - broken;
    return Response.json(
      {
        ...(kept > 0 && { "00081199": { Value: Array(kept).fill({}) } }),
        ...(broken > 0 && { "00081198": { Value: [{ "00081197": { vr: "US", Value: [0xc000] } }] } }),
      },
      { status: broken === 0 ? 200 : kept > 0 ? 202 : 409 },
    );
  });
  return requests;
}

it("sends files together, and one by one only where some were refused, to say which", async () => {
  const requests = archive();
  expect(await store(items(2), new AbortController().signal)).toEqual([{ kept: true }, { kept: true }]);
  expect(requests).toEqual([2]);
  expect(await store(items(4), new AbortController().signal)).toEqual([
    { kept: true }, { kept: true }, { kept: false, reason: "C000" }, { kept: true },
  ]);
  expect(requests).toEqual([2, 4, 1, 1, 1, 1]);
});

it("takes a refusal of the sender as no word about the files", async () => {
  vi.stubGlobal("fetch", async () => Response.json({ code: "forbidden", message: "no" }, { status: 403 }));
  await expect(store(items(2), new AbortController().signal)).rejects.toMatchObject({ status: 403 });
});
