import { imageLoader, type Types } from "@cornerstonejs/core";
import { createImage } from "@cornerstonejs/dicom-image-loader";

import { problemOf, send } from "../api/http";

/** The scheme of images that come from the server. */
const scheme = "hilum";

export const imageIdOf = (path: string): string => `${scheme}:${path}`;

const explicitLittleEndian = "1.2.840.10008.1.2.1";

/** Transfer syntaxes that are decoded in the browser; everything else the server decodes. */
const decoded = new Set([
  "1.2.840.10008.1.2", explicitLittleEndian, "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.5",
  "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81",
  "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203",
]);

/** Whether images in a transfer syntax are decoded here with the values that other decoders find. */
export const isDecodedHere = (syntax: string) => decoded.has(syntax);

/** What comes back for a frame: its bytes and their transfer syntax. */
interface Frame {
  bytes: Uint8Array;
  syntax: string;
}

async function ask(path: string, syntax: string, signal: AbortSignal): Promise<Frame> {
  const response = await send(path, { headers: { Accept: `application/octet-stream; transfer-syntax=${syntax}` }, signal });
  if (!response.ok) throw await problemOf(response);
  const said = /transfer-syntax="?([0-9.]+)/.exec(response.headers.get("Content-Type") ?? "");
  return { bytes: new Uint8Array(await response.arrayBuffer()), syntax: said?.[1] ?? explicitLittleEndian };
}

/** Frames that the browser could not decode, by the path of their series: the next one is asked for decoded at once. */
const undecoded = new Set<string>();

async function load(path: string, options: Record<string, unknown>, signal: AbortSignal): Promise<Types.IImage> {
  const series = path.slice(0, path.indexOf("/instances/"));
  const asKept = async () => {
    const frame = await ask(path, "*", signal);
    return decoded.has(frame.syntax) ? frame : null;
  };
  const created = async ({ bytes, syntax }: Frame) =>
    (await createImage(imageIdOf(path), bytes as never, syntax, { ...options })) as unknown as Types.IImage;
  if (!undecoded.has(series)) {
    const frame = await asKept();
    if (frame) {
      try {
        return await created(frame);
      } catch (error) {
        if (frame.syntax === explicitLittleEndian) throw error;
      }
    }
    undecoded.add(series);
  }
  return created(await ask(path, explicitLittleEndian, signal));
}

/** Lets Cornerstone load frames as whoever is signed in: a session that ended is waited for. */
export function registerFrames() {
  imageLoader.registerImageLoader(scheme, (imageId, options) => {
    const abort = new AbortController();
    const promise = load(imageId.slice(scheme.length + 1), options ?? {}, abort.signal);
    return { promise, cancelFn: () => abort.abort() };
  });
}
