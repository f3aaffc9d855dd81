import { type Remote, wrap } from "comlink";

import type { PixelFacts } from "./header";
import { type Palette, type Picture, pictureOf, type Samples } from "./picture";

/** What Cornerstone's decoders are asked, in a worker of theirs. */
interface Decoders {
  decodeTask: (task: {
    imageFrame: Record<string, unknown>;
    transferSyntax: string;
    decodeConfig: object;
    options: { preScale: { enabled: false } };
    pixelData: Uint8Array;
  }) => Promise<{ pixelData: Samples; photometricInterpretation?: string; planarConfiguration?: number }>;
}

/** Workers, made as they are needed; whichever has least to do gets the next frame. */
const workers: { decoders: Remote<Decoders>; busy: number }[] = [];

function free() {
  const most = Math.min(4, Math.max(1, (navigator.hardwareConcurrency || 2) - 1));
  const idle = workers.find(({ busy }) => busy === 0);
  if (idle) return idle;
  if (workers.length < most) {
    const worker = new Worker(new URL("../../node_modules/@cornerstonejs/dicom-image-loader/dist/esm/decodeImageFrameWorker.js", import.meta.url), { type: "module" });
    const made = { decoders: wrap<Decoders>(worker), busy: 0 };
    workers.push(made);
    return made;
  }
  return workers.reduce((least, one) => (one.busy < least.busy ? one : least));
}

/** Decodes a compressed frame beside the page. */
export async function decompress(bytes: Uint8Array, transferSyntax: string, facts: PixelFacts, palette?: Palette): Promise<Picture> {
  const worker = free();
  worker.busy += 1;
  try {
    const { samples, photometric, planar, rows, columns, allocated, stored, signed } = facts;
    const frame = await worker.decoders.decodeTask({
      imageFrame: {
        samplesPerPixel: samples, photometricInterpretation: photometric, planarConfiguration: planar, rows, columns,
        bitsAllocated: allocated, bitsStored: stored, pixelRepresentation: signed ? 1 : 0,
      },
      transferSyntax, decodeConfig: {}, options: { preScale: { enabled: false } }, pixelData: bytes,
    });
    // Decoders put a value's bits at the lower end, and make colours of what JPEG 2000 made of them.
    return pictureOf(frame.pixelData, { ...facts, highBit: stored - 1, planar: frame.planarConfiguration ?? planar }, palette);
  } finally {
    worker.busy -= 1;
  }
}
