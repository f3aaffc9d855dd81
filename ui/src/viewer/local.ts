import { wadors, wadouri } from "@cornerstonejs/dicom-image-loader";
import { type DataSet, parseDicom } from "dicom-parser";
import { inflateRaw } from "pako";

import { isDecodedHere } from "./frames";
import { isLookedAt } from "./choice";
import { sliceOf, type ViewedSeries, windowOf } from "./series";
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

/** DICOM JSON of the elements that placing and drawing images needs. */
function metadataOf(data: DataSet) {
  const json: Record<string, { vr: string; Value: (string | number)[] }> = {};
  const texts = (tag: string) => (data.string(tag) ?? "").split("\\").map((part) => part.trim()).filter((part) => part !== "");
  const set = (tag: string, vr: string, values: (string | number)[]) => {
    if (values.length > 0) json[tag] = { vr, Value: values };
  };
  for (const [tag, vr] of [["00080016", "UI"], ["00080018", "UI"], ["0020000D", "UI"], ["0020000E", "UI"], ["00200052", "UI"], ["00080060", "CS"], ["00280004", "CS"], ["00281056", "CS"]] as const) {
    set(tag, vr, texts(`x${tag.toLowerCase()}`));
  }
  for (const tag of ["00180050", "00200032", "00200037", "00280030", "00281050", "00281051", "00281052", "00281053", "00200013", "00280008"]) {
    set(tag, "DS", texts(`x${tag}`).map(Number).filter(Number.isFinite));
  }
  for (const tag of ["00280002", "00280006", "00280010", "00280011", "00280100", "00280101", "00280102", "00280103"]) {
    const value = data.uint16(`x${tag}`);
    set(tag, "US", value === undefined ? [] : [value]);
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

function seriesOf(seriesUid: string, opened: Opened[]): LocalSeries {
  const slices = opened.flatMap(({ file, data }) => {
    const imageId = wadouri.fileManager.add(file);
    const frames = Math.max(1, data.intString("x00280008") ?? 1);
    const metadata = metadataOf(data);
    const sopUid = data.string("x00080018") ?? "";
    return Array.from({ length: frames }, (_, at) => {
      const id = frames > 1 ? `${imageId}?frame=${at + 1}` : imageId;
      // Each frame of its own: it is one image of the metadata, wherever its pixels lie.
      wadors.metaDataManager.add(id, { ...metadata, "00280008": { vr: "IS", Value: [1] } } as never);
      return sliceOf(id, sopUid, frames > 1 ? at : (data.intString("x00200013") ?? 0));
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
    window: stack.slices[0] ? windowOf(stack.slices[0].imageId) : null,
    local: true,
    patient: text("x00100010").replaceAll("=", " · ").replaceAll("^", " "),
    date: first?.data.string("x00080020")?.replace(/^(\d{4})(\d{2})(\d{2})$/, "$1-$2-$3") ?? "",
  };
}

/** Lets go of the files that were opened. */
export function closeFiles() {
  wadouri.fileManager.purge();
  wadouri.dataSetCacheManager.purge();
}
