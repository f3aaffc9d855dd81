// @vitest-environment node
// The blobs of jsdom cannot be read piece by piece.

import { zipSync } from "fflate";
import { afterEach, describe, expect, it, vi } from "vitest";

import { UploadQueue } from "./queue";

afterEach(() => vi.unstubAllGlobals());

const dicom = (text: string) => new Uint8Array([...new Uint8Array(128), ...new TextEncoder().encode(`DICM${text}`)]);
const item = (path: string, bytes: Uint8Array) => ({ path, file: new Blob([bytes as BlobPart]) });

/** An archive that keeps everything, as long as it is up. */
function archive() {
  const state = { up: true, files: 0, hang: false };
  vi.stubGlobal("fetch", async (_path: string, init: RequestInit) => {
    if (state.hang) {
      return new Promise((_, reject) => init.signal?.addEventListener("abort", () => reject(new DOMException("stopped", "AbortError"))));
    }
    if (!state.up) return Response.json({ code: "busy", message: "busy" }, { status: 503 });
    const parts = (await (init.body as Blob).text()).split("Content-Type: application/dicom").length - 1;
    state.files += parts;
    return Response.json({ "00081199": { Value: Array(parts).fill({}) } });
  });
  return state;
}

const states = (queue: UploadQueue) => Object.fromEntries(queue.read().files.map(({ path, state, reason }) => [path, reason ? `${state}: ${reason}` : state]));

describe("files on their way", () => {
  it("says of each what became of it, and leaves out what is no image", async () => {
    const server = archive();
    const queue = new UploadQueue();
    await queue.add([item("a/1", dicom("one")), item("a/DICOMDIR", dicom("index")), item("a/readme.txt", dicom("x").slice(1)), item("a/2", new Uint8Array())]);
    await Promise.resolve();
    expect(states(queue)).toEqual({ "a/1": "kept", "a/DICOMDIR": "skipped: dicomdir", "a/readme.txt": "skipped: not_dicom", "a/2": "skipped: empty" });
    expect(server.files).toBe(1);
  });

  it("sends nothing that it has not looked at", async () => {
    const server = archive();
    const queue = new UploadQueue();
    const slow = item("b/readme.txt", dicom("x").slice(1));
    const look = slow.file.slice.bind(slow.file);
    slow.file.slice = (...range) => Object.assign(look(...range), { text: () => new Promise<string>((done) => setTimeout(() => done("none"), 50)) });
    const many = queue.add(Array.from({ length: 60 }, (_, index) => item(`a/${index}`, dicom(`${index}`))));
    await Promise.all([many, queue.add([slow])]);
    await Promise.resolve();
    expect(states(queue)["b/readme.txt"]).toBe("skipped: not_dicom");
    expect(server.files).toBe(60);
  });

  it("opens zips, in which folders and other things lie as well", async () => {
    const server = archive();
    const queue = new UploadQueue();
    const zip = zipSync({ DICOMDIR: dicom("index"), "ct/1.dcm": dicom("one"), "ct/deep/2.dcm": [dicom("two"), { level: 0 }], "ct/notes.txt": dicom("x").slice(5) });
    await queue.add([item("study.zip", zip)]);
    await Promise.resolve();
    expect(states(queue)).toEqual({ "study.zip/DICOMDIR": "skipped: dicomdir", "study.zip/ct/1.dcm": "kept", "study.zip/ct/deep/2.dcm": "kept", "study.zip/ct/notes.txt": "skipped: not_dicom" });
    expect(server.files).toBe(2);
    await queue.add([item("broken.zip", new Uint8Array([1, 2, 3]))]);
    await Promise.resolve();
    expect(states(queue)["broken.zip"]).toBe("refused: zip");
  });

  it("stops at a server that is down, and goes on from there when asked to", async () => {
    const server = archive();
    server.up = false;
    const queue = new UploadQueue();
    await queue.add(Array.from({ length: 50 }, (_, index) => item(`${index}`, dicom(`${index}`))));
    await Promise.resolve();
    expect(queue.read().counts).toMatchObject({ failed: 50, kept: 0 });
    expect(queue.read().error).toMatchObject({ status: 503 });
    server.up = true;
    await queue.retry();
    await Promise.resolve();
    expect(queue.read().counts).toMatchObject({ failed: 0, kept: 50 });
    expect(queue.read().error).toBeNull();
  });

  it("forgets all of it for whoever comes after, even what is under way", async () => {
    const server = archive();
    server.hang = true;
    const queue = new UploadQueue();
    const adding = queue.add([...Array.from({ length: 30 }, (_, index) => item(`Hong/${index}`, dicom(`${index}`))), item("Hong.zip", new Uint8Array([1, 2, 3]))]);
    await vi.waitFor(() => expect(queue.read().counts.sending).toBe(30));
    queue.forget();
    await adding;
    await Promise.resolve();
    expect(queue.read()).toMatchObject({ files: [], running: false, opening: null, error: null });
    server.hang = false;
    await queue.retry();
    expect(server.files).toBe(0);
  });

  it("can be stopped while it runs", async () => {
    const server = archive();
    server.hang = true;
    const queue = new UploadQueue();
    const adding = queue.add(Array.from({ length: 100 }, (_, index) => item(`${index}`, dicom(`${index}`))));
    await vi.waitFor(() => expect(queue.read().counts.sending).toBe(40));
    queue.cancel();
    await adding;
    await Promise.resolve();
    expect(queue.read().counts).toMatchObject({ cancelled: 100, sending: 0, waiting: 0 });
    expect(queue.read().running).toBe(false);
  });
});
