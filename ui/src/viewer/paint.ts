import type { Picture, Samples } from "./picture";
import type { Window } from "./presets";

/** Where a picture lies on a canvas: the canvas pixel `(i, j)` shows the place `(left + i across, top + j down)`, pixel centres at whole numbers. */
export interface Placing {
  left: number;
  top: number;
  across: number;
  down: number;
}

/** A canvas: a whole pixel each, as `ImageData` has them. */
export interface Surface {
  width: number;
  height: number;
  pixels: Uint32Array;
}

const opaque = 0xff000000;
const greys = Uint32Array.from({ length: 256 }, (_, grey) => opaque | (grey << 16) | (grey << 8) | grey);
const inverted = greys.slice().reverse();

const extremes = new WeakMap<Samples, readonly [number, number]>();

/** The smallest and the largest value, of a picture that says no window. */
function extremesOf({ samples }: Picture): readonly [number, number] {
  const known = extremes.get(samples);
  if (known) return known;
  let [low, high] = [Infinity, -Infinity];
  for (const value of samples) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  extremes.set(samples, [low, high]);
  return [low, high];
}

/** Grey of a stored value: `(value - low) * gain`, 0 to 255. */
function ramp(picture: Picture, window: Window | null): { low: number; gain: number } {
  if (picture.colour) return window ? { low: window.centre - window.width / 2, gain: 255 / window.width } : { low: 0, gain: 1 };
  const { slope, intercept } = picture;
  if (window) return { low: (window.centre - window.width / 2 - intercept) / slope, gain: (255 * slope) / window.width };
  const [low, high] = extremesOf(picture);
  return { low: slope < 0 ? high : low, gain: ((slope < 0 ? -1 : 1) * 255) / Math.max(high - low, 1e-9) };
}

/** Canvas pixels of one direction that lie on the picture, and between which of its samples. */
function between(start: number, step: number, count: number, size: number) {
  const [before, share] = [new Int32Array(count), new Float32Array(count)];
  let [first, end] = [count, 0];
  for (let at = 0; at < count; at += 1) {
    const place = start + at * step;
    if (place < -0.5 || place >= size - 0.5) continue;
    first = Math.min(first, at);
    end = at + 1;
    const inside = Math.min(Math.max(place, 0), size - 1);
    const low = Math.min(Math.floor(inside), Math.max(0, size - 2));
    before[at] = low;
    share[at] = inside - low;
  }
  return { before, share, first, end };
}

/**
 * Paints a picture through a window. Values are interpolated along straight lines before the window makes greys of them, as where a graphics processor does it; of one that is
 * shown at less than half its size the mean of as many pixels as fall together is taken.
 */
export function paint(surface: Surface, picture: Picture, placing: Placing, window: Window | null) {
  const factor = Math.floor(Math.min(placing.across, placing.down));
  if (factor >= 2) {
    const at = (place: number) => (place + 0.5) / factor - 0.5;
    const smaller = { left: at(placing.left), top: at(placing.top), across: placing.across / factor, down: placing.down / factor };
    paintAsIs(surface, reduced(picture, factor), smaller, window);
  } else paintAsIs(surface, picture, placing, window);
}

function paintAsIs({ width, height, pixels }: Surface, picture: Picture, { left, top, across, down }: Placing, window: Window | null) {
  const x = between(left, across, width, picture.columns);
  const y = between(top, down, height, picture.rows);
  // Beside the picture it is black.
  if (x.first > 0 || x.end < width || y.first > 0 || y.end < height) pixels.fill(opaque);
  if (x.first >= x.end) return;
  const { low, gain } = ramp(picture, window);
  const channels = picture.colour ? 3 : 1;
  const lines: Float32Array[] = Array.from({ length: 2 * channels }, () => new Float32Array(width));
  const table = picture.inverse ? inverted : greys;
  const next = (size: number) => (size > 1 ? 1 : 0);
  let upper = -1;
  for (let row = y.first; row < y.end; row += 1) {
    const line = y.before[row] as number;
    if (line !== upper) {
      for (let channel = 0; channel < channels; channel += 1) {
        const [over, under] = [lines[2 * channel], lines[2 * channel + 1]] as [Float32Array, Float32Array];
        // The line below was the one of a row above: it changes its place.
        if (upper >= 0 && line === upper + 1) [lines[2 * channel], lines[2 * channel + 1]] = [under, over];
        else stretch(picture, line, channel, channels, x, over);
        stretch(picture, line + next(picture.rows), channel, channels, x, lines[2 * channel + 1] as Float32Array);
      }
      upper = line;
    }
    const share = y.share[row] as number;
    if (channels === 1) blend(pixels, row * width, lines as [Float32Array, Float32Array], share, x, low, gain, table);
    else blendColours(pixels, row * width, lines, share, x, low, gain);
  }
}

type Between = ReturnType<typeof between>;

/** A line of the picture, as wide as the canvas. */
function stretch({ samples, columns }: Picture, row: number, channel: number, channels: number, { before, share, first, end }: Between, into: Float32Array) {
  const start = row * columns * channels + channel;
  const next = columns > 1 ? channels : 0;
  for (let at = first; at < end; at += 1) {
    const place = start + (before[at] as number) * channels;
    const value = samples[place] as number;
    into[at] = value + ((samples[place + next] as number) - value) * (share[at] as number);
  }
}

function blend(
  pixels: Uint32Array, start: number, [over, under]: [Float32Array, Float32Array], share: number, { first, end }: Between, low: number, gain: number, table: Uint32Array,
) {
  // Half a grey more, so that what is cut off rounds.
  const [base, upper, lower] = [0.5 - low * gain, (1 - share) * gain, share * gain];
  for (let at = first; at < end; at += 1) {
    const grey = (over[at] as number) * upper + (under[at] as number) * lower + base;
    pixels[start + at] = table[grey <= 0 ? 0 : grey >= 255 ? 255 : grey | 0] as number;
  }
}

function blendColours(pixels: Uint32Array, start: number, lines: Float32Array[], share: number, { first, end }: Between, low: number, gain: number) {
  for (let at = first; at < end; at += 1) {
    let colour = opaque;
    for (let channel = 0; channel < 3; channel += 1) {
      const over = lines[2 * channel]?.[at] as number;
      const value = (over + ((lines[2 * channel + 1]?.[at] as number) - over) * share - low) * gain + 0.5;
      colour |= (value <= 0 ? 0 : value >= 255 ? 255 : value | 0) << (8 * channel);
    }
    pixels[start + at] = colour;
  }
}

const smaller = new WeakMap<Samples, { factor: number; picture: Picture }>();

/** The means of squares of so many pixels; what is left over at the right and below falls away. */
function reduced(picture: Picture, factor: number): Picture {
  const known = smaller.get(picture.samples);
  if (known?.factor === factor) return known.picture;
  const { columns, samples, colour } = picture;
  const [across, down] = [Math.max(1, Math.floor(columns / factor)), Math.max(1, Math.floor(picture.rows / factor))];
  const channels = colour ? 3 : 1;
  const means = new Float32Array(across * down * channels);
  const area = Math.min(factor, columns) * Math.min(factor, picture.rows);
  for (let y = 0; y < Math.min(down * factor, picture.rows); y += 1) {
    const [from, into] = [y * columns * channels, Math.floor(y / factor) * across * channels];
    for (let x = 0; x < Math.min(across * factor, columns); x += 1) {
      const target = into + Math.floor(x / factor) * channels;
      for (let channel = 0; channel < channels; channel += 1) means[target + channel] = (means[target + channel] as number) + (samples[from + x * channels + channel] as number) / area;
    }
  }
  const made = { ...picture, rows: down, columns: across, samples: means };
  smaller.set(samples, { factor, picture: made });
  return made;
}
