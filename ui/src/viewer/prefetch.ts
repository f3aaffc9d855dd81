/** How many images are fetched at the same time, beside the one that is looked at. */
const atOnce = 4;

/** What is fetched ahead in the direction of scrolling, and behind. */
const ahead = 40;
const behind = 12;

/** Indices that are wanted around a position, the next ones first. */
export function wantedAround(at: number, direction: 1 | -1, count: number, everything: boolean): number[] {
  const wanted: number[] = [];
  const [forward, backward] = everything ? [count, count] : [ahead, behind];
  for (let step = 1; step <= Math.max(forward, backward); step += 1) {
    const [next, last] = [at + direction * step, at - direction * step];
    if (step <= forward && next >= 0 && next < count) wanted.push(next);
    if (step <= backward && last >= 0 && last < count) wanted.push(last);
  }
  return wanted;
}

/** Fetches what is likely to be looked at next; a new position takes the place of the one before. */
export class Prefetch {
  private wanted: number[] = [];
  private running = 0;
  private last = 0;
  private direction: 1 | -1 = 1;
  private ended = false;

  constructor(
    private readonly count: number,
    private readonly everything: boolean,
    private readonly isThere: (index: number) => boolean,
    private readonly fetch: (index: number) => Promise<unknown>,
  ) {}

  /** The image that is looked at now. */
  at(index: number) {
    if (index !== this.last) this.direction = index > this.last ? 1 : -1;
    this.last = index;
    this.wanted = wantedAround(index, this.direction, this.count, this.everything).filter((one) => !this.isThere(one));
    this.go();
  }

  /** Nothing more is fetched. */
  end() {
    this.ended = true;
    this.wanted = [];
  }

  private go() {
    while (!this.ended && this.running < atOnce) {
      const next = this.wanted.shift();
      if (next === undefined) return;
      if (this.isThere(next)) continue;
      this.running += 1;
      // What fails is fetched again, and told of, when somebody looks at it.
      this.fetch(next)
        .catch(() => undefined)
        .finally(() => {
          this.running -= 1;
          this.go();
        });
    }
  }
}
