import { createJPEGBasicOffsetTable, type DataSet, type Element, parseDicom, readEncapsulatedImageFrame, readEncapsulatedPixelDataFromFragments } from "dicom-parser";
import { inflateRaw } from "pako";

import { isLookedAt } from "./choice";
import { decode, explicitLittleEndian, isDecodedHere } from "./frames";
import { headerOf, type PixelFacts } from "./header";
import { type Palette, type Picture, PixelError } from "./picture";
import { sliceOf, type ViewedSeries } from "./series";
import { stackOf } from "./stack";

/** Files of this browser as series; nothing of them goes anywhere. */
export interface LocalFiles {
  series: LocalSeries[];
  /** Files that are no DICOM images. */
  others: number;
  /** Images in a transfer syntax that browsers do not decode, or with wrong values (JPEG Extended, 12 bits). */
  undecoded: number;
}

export interface LocalSeries extends ViewedSeries {
  patient: string;
  date: string;
}

/** Header bytes of a file that are read at first; what is longer is read whole. */
const headBytes = 256 * 1024;
const pixelData = "x7fe00010";
const deflated = "1.2.840.10008.1.2.1.99";

/** Text in the character set that the object names: Korean (ISO 2022 IR 149), UTF-8, GB18030, and Latin for the rest (PS3.3 C.12.1.1.2). */
function textOf(bytes: Uint8Array, characterSet: string): string {
  const encoding = /ISO 2022 IR 149|ISO_IR 149/.test(characterSet)
    ? "euc-kr"
    : /ISO_IR 192/.test(characterSet)
      ? "utf-8"
      : /GB18030|GBK|ISO 2022 IR 58/.test(characterSet)
        ? "gb18030"
        : /ISO 2022 IR 87|ISO 2022 IR 159/.test(characterSet)
          ? "iso-2022-jp"
          : "windows-1252";
  // Escape sequences only announce what follows; the encoding has it already. Japanese needs them.
  const plain = encoding === "iso-2022-jp" ? bytes : bytes.filter((_, at) => !inEscape(bytes, at));
  return new TextDecoder(encoding).decode(plain).replaceAll("\0", "").trim();
}

function inEscape(bytes: Uint8Array, at: number): boolean {
  for (let back = 0; back < 4 && at - back >= 0; back += 1) {
    if (bytes[at - back] !== 0x1b) continue;
    // ESC $ ) C has four bytes, ESC ( B three.
    return back < (bytes[at - back + 1] === 0x24 ? 4 : 3);
  }
  return false;
}

type Json = Record<string, { Value: unknown[] }>;

/** DICOM JSON of the elements that placing and drawing images needs, those of functional groups too. */
function metadataOf(data: DataSet): Json {
  const json: Json = {};
  const set = (tag: string, values: unknown[]) => {
    if (values.length > 0) json[tag] = { Value: values };
  };
  const texts = (tag: string) => (data.string(`x${tag}`) ?? "").split("\\").map((part) => part.trim()).filter((part) => part !== "");
  for (const tag of ["00200052", "00280004", "20500020"]) set(tag, texts(tag));
  for (const tag of ["00181164", "00200032", "00200037", "00280030", "00281050", "00281051", "00281052", "00281053"]) set(tag, texts(tag));
  for (const tag of ["00280002", "00280006", "00280010", "00280011", "00280100", "00280101", "00280102", "00280103"]) {
    const value = data.uint16(`x${tag}`);
    set(tag, value === undefined ? [] : [value]);
  }
  for (const tag of ["52009229", "52009230", "00209113", "00209116", "00289110", "00289132", "00289145"]) {
    set(tag, (data.elements[`x${tag}`]?.items ?? []).map(({ dataSet }) => (dataSet ? metadataOf(dataSet) : {})));
  }
  return json;
}

/** Deflated Explicit VR Little Endian: everything behind the file meta information (PS3.5 A.5). */
function inflater(bytes: Uint8Array, position: number): Uint8Array {
  const inflated = inflateRaw(bytes.slice(position));
  const whole = new Uint8Array(position + inflated.length);
  whole.set(bytes.subarray(0, position));
  whole.set(inflated, position);
  return whole;
}

interface Opened {
  file: File;
  data: DataSet;
}

async function open(file: File): Promise<Opened | null> {
  const read = async (bytes: number) => {
    const buffer = new Uint8Array(await file.slice(0, bytes).arrayBuffer());
    return parseDicom(buffer, { untilTag: pixelData, inflater });
  };
  try {
    return { file, data: await read(headBytes) };
  } catch {
    // A long header, or no DICOM at all.
    try {
      return file.size > headBytes ? { file, data: await read(file.size) } : null;
    } catch {
      return null;
    }
  }
}

/** Without a transfer syntax a file is Implicit VR Little Endian; a deflated one is inflated before it is read. */
const isReadHere = (syntax: string | undefined) => !syntax || syntax === deflated || isDecodedHere(syntax);

/** Opens files where they lie. `onProgress` hears how many were looked at. */
export async function openFiles(files: File[], onProgress: (done: number) => void): Promise<LocalFiles> {
  const bySeries = new Map<string, Opened[]>();
  let [others, undecoded] = [0, 0];
  for (const [at, file] of files.entries()) {
    const opened = await open(file);
    const series = opened?.data.string("x0020000e");
    if (!opened || !series || opened.data.uint16("x00280010") === undefined || !isLookedAt(opened.data.string("x00080060") ?? "")) others += 1;
    else if (!isReadHere(opened.data.string("x00020010"))) undecoded += 1;
    else bySeries.set(series, [...(bySeries.get(series) ?? []), opened]);
    if (at % 20 === 0) onProgress(at + 1);
  }
  onProgress(files.length);
  return { series: [...bySeries].map(([uid, opened]) => seriesOf(uid, opened)), others, undecoded };
}

/** The file that was read last, as a whole: its next frame is likely to be asked for next. */
let whole: { file: File; data: Promise<DataSet> } | null = null;

function read(file: File): Promise<DataSet> {
  if (whole?.file === file) return whole.data;
  const data = file.arrayBuffer().then((buffer) => parseDicom(new Uint8Array(buffer), { inflater }));
  whole = { file, data };
  return data;
}

/** Bytes of a frame, from 0 on (PS3.5 A.4, 8.1.1). */
function frameOf(data: DataSet, frame: number, { rows, columns, samples, allocated, photometric }: PixelFacts): Uint8Array<ArrayBuffer> {
  const element = data.elements[pixelData];
  if (!element) throw new PixelError("no pixel data");
  const bytes = () => {
    if (!element.encapsulatedPixelData) {
      const size = Math.ceil((rows * columns * (photometric === "YBR_FULL_422" ? 2 : samples) * allocated) / 8);
      const start = element.dataOffset + frame * size;
      return data.byteArray.slice(start, start + size);
    }
    if (element.basicOffsetTable?.length) return readEncapsulatedImageFrame(data, element, frame);
    const { fragments = [] } = element;
    const frames = data.intString("x00280008") ?? 1;
    if (frames === 1) return readEncapsulatedPixelDataFromFragments(data, element, 0, fragments.length);
    if (frames === fragments.length) return readEncapsulatedPixelDataFromFragments(data, element, frame, 1);
    return readEncapsulatedImageFrame(data, element, frame, createJPEGBasicOffsetTable(data, element));
  };
  return new Uint8Array(bytes());
}

/** The colours of a table, 0 to 255, where a file has one (PS3.3 C.7.6.3.1.5, C.7.6.3.1.6). */
function paletteOf(data: DataSet): Palette | undefined {
  const first = data.uint16("x00281101", 1);
  const bits = data.uint16("x00281101", 2) ?? 16;
  const count = data.uint16("x00281101", 0) || 65_536;
  const colour = (element: Element | undefined): ArrayLike<number> => {
    if (!element) return [];
    const packed = bits === 8 && element.length < 2 * count;
    return Array.from({ length: count }, (_, at) => {
      const low = data.byteArray[element.dataOffset + (packed ? at : 2 * at)] ?? 0;
      const high = data.byteArray[element.dataOffset + 2 * at + 1] ?? 0;
      return bits === 8 ? low : high;
    });
  };
  const { x00281201: red, x00281202: green, x00281203: blue } = data.elements;
  return first === undefined || !red || !green || !blue ? undefined : { first, entries: [colour(red), colour(green), colour(blue)] };
}

async function pictureIn(file: File, frame: number, facts: PixelFacts): Promise<Picture> {
  const data = await read(file);
  const bytes = frameOf(data, frame, facts);
  const syntax = data.string("x00020010") ?? "";
  // Of what else is read here nothing is encoded: a deflated file is inflated by now.
  return decode(bytes, isDecodedHere(syntax) ? syntax : explicitLittleEndian, facts, paletteOf(data));
}

function seriesOf(seriesUid: string, opened: Opened[]): LocalSeries {
  let window: ViewedSeries["window"] = null;
  const slices = opened.flatMap(({ file, data }) => {
    const frames = Math.max(1, data.intString("x00280008") ?? 1);
    const metadata = metadataOf(data);
    const sopUid = data.string("x00080018") ?? "";
    return Array.from({ length: frames }, (_, at) => {
      const header = headerOf(metadata, at);
      window ??= header.window;
      return sliceOf(header, {
        sopUid,
        instanceNumber: frames > 1 ? at : (data.intString("x00200013") ?? 0),
        load: () => pictureIn(file, at, header.pixels),
      });
    });
  });
  const [first] = opened;
  const text = (tag: string) => {
    const element = first?.data.elements[tag];
    if (!first || !element) return "";
    return textOf(first.data.byteArray.slice(element.dataOffset, element.dataOffset + element.length) as Uint8Array, first.data.string("x00080005") ?? "");
  };
  const stack = stackOf(slices);
  return {
    ...stack,
    studyUid: first?.data.string("x0020000d") ?? "", seriesUid,
    regular: stack.grid !== null,
    description: text("x0008103e"),
    modality: first?.data.string("x00080060") ?? "",
    frameOfReference: stack.slices[0]?.frameOfReference ?? null,
    window,
    local: true,
    patient: text("x00100010").replaceAll("=", " · ").replaceAll("^", " "),
    date: first?.data.string("x00080020")?.replace(/^(\d{4})(\d{2})(\d{2})$/, "$1-$2-$3") ?? "",
  };
}

/** Lets go of the file that was read. */
export function closeFiles() {
  whole = null;
}
