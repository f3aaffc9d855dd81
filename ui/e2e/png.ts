import { inflateSync } from "node:zlib";

/** Pixels of a screenshot. */
export interface Pixels {
  width: number;
  height: number;
  /** Red, green and blue of each pixel, row by row. */
  rgb: Uint8Array;
}

/** Reads a PNG of 8 bits, RGB or RGBA, not interlaced: what Chromium writes (PNG specification, W3C 2003). */
export function readPng(png: Buffer): Pixels {
  const [width, height, depth, colour, interlace] = [png.readUInt32BE(16), png.readUInt32BE(20), png[24], png[25], png[28]];
  if (depth !== 8 || (colour !== 2 && colour !== 6) || interlace !== 0) throw new Error(`a PNG of depth ${depth}, colour type ${colour}`);
  const data: Buffer[] = [];
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at);
    if (png.toString("latin1", at + 4, at + 8) === "IDAT") data.push(png.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  const bytes = inflateSync(Buffer.concat(data));
  const each = colour === 6 ? 4 : 3;
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
    for (let channel = 0; channel < 3; channel += 1) rgb[pixel * 3 + channel] = lines[pixel * each + channel] ?? 0;
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
