import { crc32, deflateSync, inflateSync } from "node:zlib";

/** Pixels of a screenshot. */
export interface Pixels {
  width: number;
  height: number;
  /** Red, green and blue of each pixel, row by row. */
  rgb: Uint8Array;
}

/** Reads a PNG of 8 bits, RGB, RGBA or with a palette, not interlaced: what Chromium and we write (PNG specification, W3C 2003). */
export function readPng(png: Buffer): Pixels {
  const [width, height, depth, colour, interlace] = [png.readUInt32BE(16), png.readUInt32BE(20), png[24], png[25], png[28]];
  if (depth !== 8 || (colour !== 2 && colour !== 3 && colour !== 6) || interlace !== 0) throw new Error(`a PNG of depth ${depth}, colour type ${colour}`);
  const data: Buffer[] = [];
  let palette: Buffer | null = null;
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at);
    const [type, content] = [png.toString("latin1", at + 4, at + 8), png.subarray(at + 8, at + 8 + length)];
    if (type === "IDAT") data.push(content);
    if (type === "PLTE") palette = content;
    at += 12 + length;
  }
  const bytes = inflateSync(Buffer.concat(data));
  const each = { 2: 3, 3: 1, 6: 4 }[colour];
  const stride = width * each;
  const lines = Buffer.alloc(stride * height);
  for (let y = 0; y < height; y += 1) {
    const filter = bytes[y * (stride + 1)] ?? 0;
    for (let x = 0; x < stride; x += 1) {
      const raw = bytes[y * (stride + 1) + 1 + x] ?? 0;
      const left = x >= each ? (lines[y * stride + x - each] ?? 0) : 0;
      const up = y > 0 ? (lines[(y - 1) * stride + x] ?? 0) : 0;
      const corner = x >= each && y > 0 ? (lines[(y - 1) * stride + x - each] ?? 0) : 0;
      lines[y * stride + x] = raw + predicted(filter, left, up, corner);
    }
  }
  const rgb = new Uint8Array(width * height * 3);
  for (let pixel = 0; pixel < width * height; pixel += 1) {
    for (let channel = 0; channel < 3; channel += 1) {
      rgb[pixel * 3 + channel] = (palette ? palette[(lines[pixel] ?? 0) * 3 + channel] : lines[pixel * each + channel]) ?? 0;
    }
  }
  return { width, height, rgb };
}

function predicted(filter: number, left: number, up: number, corner: number): number {
  switch (filter) {
    case 0: return 0;
    case 1: return left;
    case 2: return up;
    case 3: return (left + up) >> 1;
    default: {
      const guess = left + up - corner;
      const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
      return a <= b && a <= c ? left : b <= c ? up : corner;
    }
  }
}

/** The pixels that satisfy something: how many, and the box around them. */
export function where({ width, height, rgb }: Pixels, is: (red: number, green: number, blue: number) => boolean) {
  let [count, left, top, right, bottom] = [0, width, height, -1, -1];
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const at = (y * width + x) * 3;
      if (!is(rgb[at] ?? 0, rgb[at + 1] ?? 0, rgb[at + 2] ?? 0)) continue;
      count += 1;
      [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
    }
  }
  return { count, left, top, right, bottom };
}

export const isRed = (red: number, green: number, blue: number) => red > 110 && red - green > 55 && red - blue > 55;
export const isGreen = (red: number, green: number, blue: number) => green > 150 && green - red > 80 && green - blue > 80;

/** A colour, and how many pixels have it. */
type Counted = [red: number, green: number, blue: number, count: number];

/** Boxes of colours that are much alike (median cut; Heckbert, Color Image Quantization for Frame Buffer Display, 1982). */
function boxesOf(colours: Counted[], most: number): Counted[][] {
  const boxes = [{ colours, ...widest(colours) }];
  while (boxes.length < most) {
    // What is seen often and differs much is divided first.
    const next = boxes.reduce((best, box) => (box.worth > best.worth ? box : best));
    if (next.worth === 0) break;
    const sorted = next.colours.sort((a, b) => a[next.channel] - b[next.channel]);
    const half = sorted.reduce((sum, [, , , count]) => sum + count, 0) / 2;
    let [at, before] = [0, 0];
    while (at < sorted.length - 1 && before + (sorted[at]?.[3] ?? 0) <= half) before += sorted[at++]?.[3] ?? 0;
    at = Math.min(Math.max(1, at), sorted.length - 1);
    const parts = [sorted.slice(0, at), sorted.slice(at)].map((part) => ({ colours: part, ...widest(part) }));
    boxes.splice(boxes.indexOf(next), 1, ...parts);
  }
  return boxes.map((box) => box.colours);
}

function widest(colours: Counted[]): { channel: 0 | 1 | 2; worth: number } {
  const ranges = ([0, 1, 2] as const).map((channel) => {
    const [low, high] = colours.reduce(([least, most], colour) => [Math.min(least, colour[channel]), Math.max(most, colour[channel])], [255, 0]);
    return { channel, range: high - low };
  });
  const widestRange = ranges.reduce((best, one) => (one.range > best.range ? one : best));
  const pixels = colours.reduce((sum, [, , , count]) => sum + count, 0);
  return { channel: widestRange.channel, worth: widestRange.range ** 2 * Math.sqrt(pixels) };
}

function chunk(type: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, sum]);
}

/** A PNG of at most so many colours, which takes a third of what a screenshot does. */
export function writeSmallPng({ width, height, rgb }: Pixels, most = 128): Buffer {
  const counts = new Map<number, number>();
  const keyAt = (pixel: number) => ((rgb[3 * pixel] ?? 0) << 16) | ((rgb[3 * pixel + 1] ?? 0) << 8) | (rgb[3 * pixel + 2] ?? 0);
  for (let pixel = 0; pixel < width * height; pixel += 1) counts.set(keyAt(pixel), (counts.get(keyAt(pixel)) ?? 0) + 1);
  const boxes = boxesOf([...counts].map(([key, count]): Counted => [key >> 16, (key >> 8) & 255, key & 255, count]), most);
  const indices = new Map<number, number>();
  const palette = boxes.flatMap((box, index) => {
    for (const [red, green, blue] of box) indices.set((red << 16) | (green << 8) | blue, index);
    const pixels = box.reduce((sum, [, , , count]) => sum + count, 0);
    return ([0, 1, 2] as const).map((channel) => Math.round(box.reduce((sum, colour) => sum + colour[channel] * colour[3], 0) / pixels));
  });
  const lines = Buffer.alloc((width + 1) * height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) lines[y * (width + 1) + 1 + x] = indices.get(keyAt(y * width + x)) ?? 0;
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 3, 0, 0, 0], 8);
  const signature = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
  return Buffer.concat([signature, chunk("IHDR", head), chunk("PLTE", Buffer.from(palette)), chunk("IDAT", deflateSync(lines, { level: 9 })), chunk("IEND", Buffer.alloc(0))]);
}
