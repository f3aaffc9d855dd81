import { problemOf, send } from "./http";

/** Sends DICOM files to the archive as a browser can: STOW-RS (PS3.18 10.5), some files a request. */

/** A file to send, by the path it was found under. Its name is shown here and sent nowhere. */
export interface Item {
  path: string;
  file: Blob;
}

/** What became of a file. `reason`: a failure reason (0008,1197) as four hexadecimal digits, or a code of ours. */
export type Fate = { kept: true } | { kept: false; reason: string };

interface Reference {
  "00081197"?: { Value?: number[] };
}

interface StoreResponse {
  "00081198"?: { Value?: Reference[] };
  "00081199"?: { Value?: unknown[] };
}

/**
 * Sends some files together, and says what became of each. An answer counts and does not name files: where some were refused, each is sent
 * once more alone, and what was kept the first time is kept once.
 */
export async function store(items: Item[], signal: AbortSignal): Promise<Fate[]> {
  const answer = await request(items, signal);
  const refused = answer["00081198"]?.Value ?? [];
  if (refused.length === 0 && (answer["00081199"]?.Value?.length ?? 0) >= items.length) return items.map(() => ({ kept: true }));
  if (items.length === 1) {
    const reason = refused[0]?.["00081197"]?.Value?.[0];
    return [{ kept: false, reason: reason === undefined ? "unknown" : reason.toString(16).toUpperCase().padStart(4, "0") }];
  }
  const fates: Fate[] = [];
  for (const item of items) fates.push(...(await store([item], signal)));
  return fates;
}

async function request(items: Item[], signal: AbortSignal): Promise<StoreResponse> {
  const boundary = `hilum-${crypto.randomUUID()}`;
  const parts: BlobPart[] = [];
  for (const { file } of items) {
    parts.push(`--${boundary}\r\nContent-Type: application/dicom\r\n\r\n`, file, "\r\n");
  }
  parts.push(`--${boundary}--\r\n`);
  const response = await send("/dicom-web/studies", {
    method: "POST",
    headers: {
      Accept: "application/dicom+json",
      "Content-Type": `multipart/related; type="application/dicom"; boundary=${boundary}`,
    },
    body: new Blob(parts),
    signal,
  });
  const answer = (await response.clone().json().catch(() => null)) as (StoreResponse & { code?: string }) | null;
  if (answer?.["00081198"] || answer?.["00081199"]) return answer;
  // Not about the files: about the one who sends them, or about the server.
  if (response.ok || [401, 403, 429].includes(response.status) || response.status >= 500) throw await problemOf(response);
  return { "00081198": { Value: items.map(() => ({ "00081197": { Value: [0xc000] } })) } };
}

/** All files of what was dropped, folders walked. */
export async function droppedFiles(transfer: DataTransfer): Promise<Item[]> {
  const entries = Array.from(transfer.items, (item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const items: Item[] = [];
  for (const entry of entries) await collect(entry, items);
  return items;
}

async function collect(entry: FileSystemEntry, items: Item[]): Promise<void> {
  if (entry instanceof FileSystemFileEntry) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
    items.push({ path: entry.fullPath.replace(/^\//, "") || file.name, file });
  } else if (entry instanceof FileSystemDirectoryEntry) {
    const reader = entry.createReader();
    for (;;) {
      const batch = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
      if (batch.length === 0) return;
      for (const child of batch) await collect(child, items);
    }
  }
}

/** Files that a person chose in the browser's dialog, a folder's with their paths in it. */
export function chosenFiles(files: FileList): Item[] {
  return Array.from(files, (file) => ({ path: file.webkitRelativePath || file.name, file }));
}
