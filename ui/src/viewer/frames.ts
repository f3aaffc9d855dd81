import { problemOf, send } from "../api/http";
import type { PixelFacts } from "./header";
import { fromBrowser, native, type Palette, type Picture } from "./picture";

const implicitLittleEndian = "1.2.840.10008.1.2";
export const explicitLittleEndian = "1.2.840.10008.1.2.1";
const explicitBigEndian = "1.2.840.10008.1.2.2";
const jpegBaseline = "1.2.840.10008.1.2.4.50";

/** Transfer syntaxes that are decoded in the browser; everything else the server decodes. */
const decoded = new Set([
  implicitLittleEndian, explicitLittleEndian, explicitBigEndian, jpegBaseline,
  "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81",
  "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203",
]);

/** Whether images in a transfer syntax are decoded here with the values that other decoders find. */
export const isDecodedHere = (syntax: string) => decoded.has(syntax);

/** A picture that browsers know how to decode. */
async function byBrowser(bytes: Uint8Array<ArrayBuffer>, type: string): Promise<Picture> {
  const bitmap = await createImageBitmap(new Blob([bytes], { type }), { colorSpaceConversion: "none" });
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d");
  if (!context) throw new Error("no canvas");
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return fromBrowser(context.getImageData(0, 0, width, height));
}

/** The picture of a frame in a transfer syntax that is decoded here. `palette`: of PALETTE COLOR. */
export async function decode(bytes: Uint8Array<ArrayBuffer>, syntax: string, facts: PixelFacts, palette?: Palette): Promise<Picture> {
  if (syntax === implicitLittleEndian || syntax === explicitLittleEndian) return native(bytes, facts, false, palette);
  if (syntax === explicitBigEndian) return native(bytes, facts, true, palette);
  if (syntax === jpegBaseline && facts.samples === 3) return byBrowser(bytes, "image/jpeg");
  // What is not compressed needs no decoders.
  const { decompress } = await import("./decoders");
  return decompress(bytes, syntax, facts, palette);
}

/** What comes back for a frame: its bytes and their transfer syntax. */
interface Frame {
  bytes: Uint8Array<ArrayBuffer>;
  syntax: string;
}

async function ask(path: string, accept: string, signal: AbortSignal): Promise<Frame> {
  const response = await send(path, { headers: { Accept: accept }, signal });
  if (!response.ok) throw await problemOf(response);
  const said = /transfer-syntax="?([0-9.]+)/.exec(response.headers.get("Content-Type") ?? "");
  return { bytes: new Uint8Array(await response.arrayBuffer()), syntax: said?.[1] ?? explicitLittleEndian };
}

const frameAs = (syntax: string) => `application/octet-stream; transfer-syntax=${syntax}`;

/** Series of which the browser could not decode a frame, by their path: the next one is asked for decoded at once. */
const undecoded = new Set<string>();

/** A frame from the server, as whoever is signed in: a session that ended is waited for. */
export async function loadFrame(path: string, facts: PixelFacts, signal: AbortSignal): Promise<Picture> {
  // Its colours lie in a table that the server has.
  if (facts.photometric === "PALETTE COLOR") return byBrowser((await ask(`${path}/rendered`, "image/png", signal)).bytes, "image/png");
  const series = path.slice(0, path.indexOf("/instances/"));
  if (!undecoded.has(series)) {
    const frame = await ask(path, frameAs("*"), signal);
    if (isDecodedHere(frame.syntax)) {
      try {
        return await decode(frame.bytes, frame.syntax, facts);
      } catch (error) {
        if (frame.syntax === explicitLittleEndian) throw error;
      }
    }
    undecoded.add(series);
  }
  const { bytes, syntax } = await ask(path, frameAs(explicitLittleEndian), signal);
  return decode(bytes, syntax, facts);
}
