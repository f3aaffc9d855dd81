import type { PixelFacts } from "./header";

export type Samples = Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array;

/** An image whose samples are there: greys as they are stored, `[row, column]`, or colours, `[row, column, red green blue]`. */
export interface Picture {
  rows: number;
  columns: number;
  colour: boolean;
  samples: Samples;
  /** From a stored value to HU. */
  slope: number;
  intercept: number;
  inverse: boolean;
}

/** Bytes that a picture takes. */
export const bytesOf = ({ samples }: Picture): number => samples.byteLength;

/** HU of a pixel; of a colour there is none. */
export function valueAt({ samples, columns, rows, colour, slope, intercept }: Picture, x: number, y: number): number | undefined {
  if (colour || x < 0 || y < 0 || x >= columns || y >= rows) return undefined;
  const stored = samples[y * columns + x];
  return stored === undefined ? undefined : stored * slope + intercept;
}

/** Thrown for pixels that cannot be what their header says. */
export class PixelError extends Error {}

const isGrey = ({ samples, photometric }: PixelFacts) => samples === 1 && /^MONOCHROME[12]$|^$/.test(photometric);

/** Samples of a grey picture, however they came: what lies beside the stored bits falls away, and the sign is carried up (PS3.5 8.1.1). */
function greys(samples: Samples, facts: PixelFacts): Picture {
  const { rows, columns, allocated, stored, highBit, signed, slope, intercept, inverse } = facts;
  if (samples.length < rows * columns) throw new PixelError(`${samples.length} samples of ${rows * columns}`);
  const picture = { rows, columns, colour: false, samples: samples.length === rows * columns ? samples : samples.subarray(0, rows * columns), slope, intercept, inverse };
  if (stored < allocated && samples.BYTES_PER_ELEMENT * 8 === allocated) {
    const [left, right] = [31 - highBit, 32 - stored];
    const { samples: kept } = picture;
    if (signed) for (let at = 0; at < kept.length; at += 1) kept[at] = ((kept[at] ?? 0) << left) >> right;
    else for (let at = 0; at < kept.length; at += 1) kept[at] = ((kept[at] ?? 0) << left) >>> right;
  }
  return picture;
}

/** Samples of Little Endian, without copying them where they lie evenly. */
function littleEndian(bytes: Uint8Array, allocated: number, signed: boolean): Samples {
  if (allocated === 1) return Uint8Array.from({ length: 8 * bytes.length }, (_, at) => ((bytes[at >> 3] ?? 0) >> (at & 7)) & 1);
  const size = allocated / 8;
  const even = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  const [buffer, offset, count] = [even.buffer, even.byteOffset, Math.floor(even.length / size)];
  if (size === 1) return signed ? new Int8Array(buffer, offset, count) : even;
  if (size === 2) return signed ? new Int16Array(buffer, offset, count) : new Uint16Array(buffer, offset, count);
  if (size === 4) return signed ? new Int32Array(buffer, offset, count) : new Uint32Array(buffer, offset, count);
  throw new PixelError(`${allocated} bits allocated`);
}

/** A frame that nothing encoded, of either byte order, grey or in colours. `palette`: of PALETTE COLOR. */
export function native(bytes: Uint8Array, facts: PixelFacts, bigEndian = false, palette?: Palette): Picture {
  let ordered = bytes;
  if (bigEndian && facts.allocated === 16) {
    ordered = bytes.slice();
    for (let at = 0; at + 1 < ordered.length; at += 2) [ordered[at], ordered[at + 1]] = [ordered[at + 1] ?? 0, ordered[at] ?? 0];
  }
  return pictureOf(littleEndian(ordered, facts.allocated, facts.signed), facts, palette);
}

/** The samples of a frame. */
export function pictureOf(samples: Samples, facts: PixelFacts, palette?: Palette): Picture {
  return isGrey(facts) ? greys(samples, facts) : coloured(samples, facts, palette);
}

/** Red, green and blue of the entries from `first` on, 0 to 255 (PS3.3 C.7.9). */
export interface Palette {
  first: number;
  entries: [ArrayLike<number>, ArrayLike<number>, ArrayLike<number>];
}

function coloured(samples: Samples, facts: PixelFacts, palette?: Palette): Picture {
  const { rows, columns, photometric, planar } = facts;
  const pixels = rows * columns;
  const rgb = new Uint8ClampedArray(3 * pixels);
  if (photometric === "PALETTE COLOR") {
    if (!palette) throw new PixelError("a palette is missing");
    const last = palette.entries[0].length - 1;
    for (let at = 0; at < pixels; at += 1) {
      const entry = Math.min(Math.max((samples[at] ?? 0) - palette.first, 0), last);
      palette.entries.forEach((colour, channel) => (rgb[3 * at + channel] = colour[entry] ?? 0));
    }
  } else if (photometric === "YBR_FULL_422" && samples.length < 3 * pixels) {
    // Two pixels: Y Y Cb Cr.
    for (let at = 0; at < pixels; at += 1) {
      const pair = 4 * (at >> 1);
      ybr(rgb, at, samples[pair + (at & 1)] ?? 0, samples[pair + 2] ?? 128, samples[pair + 3] ?? 128);
    }
  } else {
    if (samples.length < 3 * pixels) throw new PixelError(`${samples.length} samples of ${3 * pixels}`);
    const [step, next] = planar === 1 ? [1, pixels] : [3, 1];
    const full = photometric.startsWith("YBR_FULL");
    for (let at = 0; at < pixels; at += 1) {
      const [a, b, c] = [samples[at * step] ?? 0, samples[at * step + next] ?? 0, samples[at * step + 2 * next] ?? 0];
      if (full) ybr(rgb, at, a, b, c);
      else [rgb[3 * at], rgb[3 * at + 1], rgb[3 * at + 2]] = [a, b, c];
    }
  }
  return { rows, columns, colour: true, samples: new Uint8Array(rgb.buffer), slope: 1, intercept: 0, inverse: false };
}

/** PS3.3 C.7.6.3.1.2. */
function ybr(rgb: Uint8ClampedArray, at: number, y: number, cb: number, cr: number) {
  rgb[3 * at] = y + 1.402 * (cr - 128);
  rgb[3 * at + 1] = y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128);
  rgb[3 * at + 2] = y + 1.772 * (cb - 128);
}

/** A picture that the browser itself decoded: four bytes a pixel become three. */
export function fromBrowser({ data, width, height }: ImageData): Picture {
  const samples = new Uint8Array(3 * width * height);
  for (let at = 0; at < width * height; at += 1) samples.set(data.subarray(4 * at, 4 * at + 3), 3 * at);
  return { rows: height, columns: width, colour: true, samples, slope: 1, intercept: 0, inverse: false };
}
