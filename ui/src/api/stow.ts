import { problemOf, send } from "./http";

/** Sends DICOM files to the archive as a browser can: STOW-RS (PS3.18 10.5), a few files a request. */

export interface Stored {
  kept: number;
  refused: number;
}

const filesPerRequest = 20;

export async function storeFiles(files: File[], onProgress: (done: number) => void): Promise<Stored> {
  const stored: Stored = { kept: 0, refused: 0 };
  for (let start = 0; start < files.length; start += filesPerRequest) {
    const batch = files.slice(start, start + filesPerRequest);
    const result = await storeBatch(batch);
    stored.kept += result.kept;
    stored.refused += result.refused;
    onProgress(Math.min(start + batch.length, files.length));
  }
  return stored;
}

async function storeBatch(files: File[]): Promise<Stored> {
  const boundary = `hilum-${crypto.randomUUID()}`;
  const parts: BlobPart[] = [];
  for (const file of files) {
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
  });
  const answer = (await response.clone().json().catch(() => null)) as Record<string, { Value?: unknown[] }> | null;
  const failed = answer?.["00081198"]?.Value?.length;
  const kept = answer?.["00081199"]?.Value?.length;
  if (kept === undefined && failed === undefined && !response.ok) {
    // Not about the files: about the one who sends them, or about the server.
    if ([401, 403, 429].includes(response.status) || response.status >= 500) throw await problemOf(response);
    return { kept: 0, refused: files.length };
  }
  return { kept: kept ?? 0, refused: failed ?? 0 };
}

/** All files of what was dropped, folders walked. */
export async function droppedFiles(transfer: DataTransfer): Promise<File[]> {
  const entries = Array.from(transfer.items, (item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const files: File[] = [];
  for (const entry of entries) await collect(entry, files);
  return files;
}

async function collect(entry: FileSystemEntry, files: File[]): Promise<void> {
  if (entry instanceof FileSystemFileEntry) {
    files.push(await new Promise<File>((resolve, reject) => entry.file(resolve, reject)));
  } else if (entry instanceof FileSystemDirectoryEntry) {
    const reader = entry.createReader();
    for (;;) {
      const batch = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
      if (batch.length === 0) return;
      for (const child of batch) await collect(child, files);
    }
  }
}
