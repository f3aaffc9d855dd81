/** Files on their way to the archive, outside of React: they go on while the page shows something else. */

import { ApiError } from "../../../api/http";
import { onAccountLeft } from "../../../api/session";
import { type Item, store } from "../../../api/stow";

export type FileState = "waiting" | "sending" | "kept" | "refused" | "failed" | "skipped" | "cancelled";

export interface Sent {
  id: number;
  path: string;
  size: number;
  state: FileState;
  /** Why it was refused or skipped: a code that the page has words for. */
  reason: string | null;
}

export interface Uploads {
  files: readonly Sent[];
  counts: Readonly<Record<FileState, number>>;
  running: boolean;
  /** A zip is being opened. */
  opening: string | null;
  /** Why everything stopped: about the sender or the server, and not about a file. */
  error: unknown;
}

const batchFiles = 20;
const batchBytes = 32 * 1024 * 1024;
/** Requests at a time. */
const lanes = 2;

const none: Record<FileState, number> = { waiting: 0, sending: 0, kept: 0, refused: 0, failed: 0, skipped: 0, cancelled: 0 };

/** A Part 10 file has DICM behind its preamble (PS3.10 7.1). Some have neither; what says by its name that it is something else is left out. */
const notImages = /\.(txt|pdf|jpe?g|png|gif|xml|html?|json|csv|exe|dll|inf|ini|md|docx?|xlsx?|log|ds_store)$/i;

async function reasonToSkip({ path, file }: Item): Promise<string | null> {
  if (file.size === 0) return "empty";
  const name = path.split("/").at(-1) ?? path;
  if (/^dicomdir$/i.test(name)) return "dicomdir";
  const head = await file.slice(128, 132).text();
  if (head === "DICM") return null;
  return notImages.test(name) || name.startsWith(".") || path.startsWith("__MACOSX/") ? "not_dicom" : null;
}

const isZip = ({ path }: Item) => /\.zip$/i.test(path);

export class UploadQueue {
  private entries: { sent: Sent; item: Item | null }[] = [];
  private snapshot: Uploads = { files: [], counts: none, running: false, opening: null, error: null };
  private watchers = new Set<() => void>();
  private abort: AbortController | null = null;
  private error: unknown = null;
  private opening: string | null = null;
  private next = 1;
  private scheduled = false;
  private cancels = 0;

  subscribe = (watcher: () => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  read = () => this.snapshot;

  /** Many changes at once are shown once. */
  private changed() {
    if (this.scheduled) return;
    this.scheduled = true;
    queueMicrotask(() => {
      this.scheduled = false;
      const counts = { ...none };
      for (const { sent } of this.entries) counts[sent.state] += 1;
      this.snapshot = {
        files: this.entries.map(({ sent }) => sent),
        counts,
        running: this.abort !== null,
        opening: this.opening,
        error: this.error,
      };
      for (const watcher of this.watchers) watcher();
    });
  }

  private put(entry: { sent: Sent; item: Item | null }, state: FileState, reason: string | null = null) {
    entry.sent = { ...entry.sent, state, reason };
    // A file that is through needs not be held in memory any more.
    if (state === "kept" || state === "skipped") entry.item = null;
    this.changed();
  }

  /** Sends files; zips are opened here, and what is in them is sent as it comes out. Settles once all are through. */
  async add(items: Item[]): Promise<void> {
    this.error = null;
    const { cancels } = this;
    const stopped = () => this.error !== null || this.cancels !== cancels;
    for (const item of items.filter((one) => !isZip(one))) {
      if (stopped()) break;
      await this.enqueue(item);
    }
    const sending = this.run();
    for (const zip of items.filter(isZip)) {
      if (stopped()) break;
      this.opening = zip.path;
      this.changed();
      try {
        const { unzipped } = await import("./unzip");
        for await (const item of unzipped(zip)) {
          // Not: whether something is being sent. A file that is left out comes between others.
          if (stopped()) break;
          await this.enqueue(item);
          void this.run();
          // No more of an archive in memory than a few requests hold.
          while (this.count("waiting") > batchFiles * lanes * 2 && this.abort) await new Promise((done) => setTimeout(done, 50));
          if (stopped()) break;
        }
      } catch {
        if (!stopped()) this.put(this.entry(zip, null), "refused", "zip");
      }
      this.opening = null;
      this.changed();
    }
    await sending;
    await this.run();
  }

  private entry(item: Item, held: Item | null) {
    const sent: Sent = { id: this.next++, path: item.path, size: item.file.size, state: "waiting", reason: null };
    const entry = { sent, item: held };
    this.entries.push(entry);
    return entry;
  }

  private async enqueue(item: Item) {
    // What is not looked at yet is not there: others that are being sent would take it along.
    const skip = await reasonToSkip(item);
    const entry = this.entry(item, item);
    if (skip) this.put(entry, "skipped", skip);
    else this.changed();
  }

  private count(state: FileState) {
    return this.entries.filter(({ sent }) => sent.state === state).length;
  }

  private take() {
    const batch: { sent: Sent; item: Item | null }[] = [];
    let bytes = 0;
    for (const entry of this.entries) {
      if (entry.sent.state !== "waiting" || !entry.item) continue;
      if (batch.length > 0 && bytes + entry.sent.size > batchBytes) break;
      batch.push(entry);
      bytes += entry.sent.size;
      if (batch.length === batchFiles) break;
    }
    for (const entry of batch) this.put(entry, "sending");
    return batch;
  }

  private lanesRunning = 0;
  private underWay = new Set<Promise<void>>();

  private async run(): Promise<void> {
    if (this.count("waiting") > 0) this.begin();
    // Of whoever began them: nothing is through before.
    await Promise.all(this.underWay);
  }

  private begin() {
    this.abort ??= new AbortController();
    const { signal } = this.abort;
    // A lane that finds nothing left is through at once: the free ones are counted before.
    for (let free = lanes - this.lanesRunning; free > 0; free -= 1) {
      const lane = this.lane(signal).finally(() => this.underWay.delete(lane));
      this.underWay.add(lane);
    }
  }

  private async lane(signal: AbortSignal) {
    this.lanesRunning += 1;
    try {
      for (let batch = this.take(); batch.length > 0; batch = this.take()) {
        try {
          const fates = await store(batch.flatMap(({ item }) => item ?? []), signal);
          batch.forEach((entry, index) => {
            const fate = fates[index];
            if (fate?.kept) this.put(entry, "kept");
            else this.put(entry, "refused", fate?.reason ?? "unknown");
          });
        } catch (error) {
          const stopped = signal.aborted;
          for (const entry of batch) this.put(entry, stopped ? "cancelled" : "failed");
          if (stopped) return;
          // About the sender or the server: what waits would fail as well.
          this.error = error instanceof ApiError || error instanceof Error ? error : new Error("unknown");
          for (const entry of this.entries) if (entry.sent.state === "waiting") this.put(entry, "failed");
          return;
        }
      }
    } finally {
      this.lanesRunning -= 1;
      if (this.lanesRunning === 0) {
        this.abort = null;
        this.changed();
      }
    }
  }

  /** Stops; what was kept stays kept. */
  cancel() {
    const abort = this.abort;
    this.cancels += 1;
    for (const entry of this.entries) if (entry.sent.state === "waiting") this.put(entry, "cancelled");
    abort?.abort();
    this.changed();
  }

  /** Sends again what was not kept and could be. */
  async retry() {
    this.error = null;
    for (const entry of this.entries) {
      if (entry.item && ["failed", "refused", "cancelled"].includes(entry.sent.state)) this.put(entry, "waiting");
    }
    await this.run();
  }

  /** Stops, and forgets all of it. */
  forget() {
    this.cancel();
    this.entries = [];
    this.error = null;
    this.changed();
  }

  /** Forgets the list; nothing of it may be under way. */
  clear() {
    if (this.abort) return;
    this.entries = [];
    this.error = null;
    this.changed();
  }
}

export const uploads = new UploadQueue();

/** Another account neither sees what this one chose to send, nor sends it. */
onAccountLeft(() => uploads.forget());
