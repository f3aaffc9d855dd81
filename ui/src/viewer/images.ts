import { bytesOf, type Picture } from "./picture";
import type { Slice } from "./stack";

interface Coming {
  promise: Promise<Picture>;
  abort: AbortController;
}

/** Pictures of slices: those that are there, those looked at last at the end, and those on their way. Beyond the budget, what was not looked at for the longest time goes. */
export class Images {
  private readonly held = new Map<Slice, Picture>();
  private readonly coming = new Map<Slice, Coming>();
  private bytes = 0;

  constructor(
    private budget: number,
    /** Told when a picture came, and when one did not. */
    private readonly onCame: (slice: Slice) => void,
    private readonly onFailed: (slice: Slice) => void,
  ) {}

  /** The picture of a slice that is there. */
  get(slice: Slice | undefined): Picture | undefined {
    const picture = slice && this.held.get(slice);
    if (!slice || !picture) return undefined;
    this.held.delete(slice);
    this.held.set(slice, picture);
    return picture;
  }

  /** The same, of many that are looked through: it does not count as looked at. */
  peek(slice: Slice | undefined): Picture | undefined {
    return slice && this.held.get(slice);
  }

  has(slice: Slice | undefined): boolean {
    return slice !== undefined && this.held.has(slice);
  }

  /** Fetches and decodes a slice, once however often it is asked for. */
  load(slice: Slice): Promise<Picture> {
    const there = this.get(slice);
    if (there) return Promise.resolve(there);
    const known = this.coming.get(slice);
    if (known) return known.promise;
    const abort = new AbortController();
    const promise = slice.load(abort.signal).then(
      (picture) => {
        // What was let go of meanwhile is not held.
        if (this.coming.get(slice)?.promise === promise) {
          this.coming.delete(slice);
          this.hold(slice, picture);
        }
        return picture;
      },
      (error: unknown) => {
        if (this.coming.get(slice)?.promise === promise) {
          this.coming.delete(slice);
          this.onFailed(slice);
        }
        throw error;
      },
    );
    this.coming.set(slice, { promise, abort });
    return promise;
  }

  private hold(slice: Slice, picture: Picture) {
    this.held.set(slice, picture);
    this.bytes += bytesOf(picture);
    this.shrink();
    this.onCame(slice);
  }

  private shrink() {
    for (const [slice, picture] of this.held) {
      if (this.bytes <= this.budget || this.held.size === 1) return;
      this.held.delete(slice);
      this.bytes -= bytesOf(picture);
    }
  }

  /** What may be held (bytes). */
  allow(budget: number) {
    this.budget = budget;
    this.shrink();
  }

  /** Lets go of everything; what is on its way ends. */
  clear() {
    for (const { abort } of this.coming.values()) abort.abort();
    this.coming.clear();
    this.held.clear();
    this.bytes = 0;
  }
}
