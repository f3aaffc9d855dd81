import type { Images } from "./images";
import type { Slice } from "./stack";

/** Images fetched at the same time. */
const atOnce = 6;

/** The images of a series, as three planes need them: all of them, from the one that is looked at outwards. */
export class Filling {
  private readonly waiting: Slice[];
  private ended = false;

  constructor(slices: readonly Slice[], nearest: number, private readonly images: Images) {
    this.waiting = slices
      .map((slice, at) => ({ slice, away: Math.abs(at - nearest) }))
      .sort((a, b) => a.away - b.away)
      .map(({ slice }) => slice);
  }

  /** Fetches what is not there yet. What does not come is told of by whoever holds the images. */
  async run(): Promise<void> {
    const fetchOn = async () => {
      for (let next = this.waiting.shift(); next && !this.ended; next = this.waiting.shift()) {
        await this.images.load(next).catch(() => undefined);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, fetchOn));
  }

  /** Nothing more is fetched. */
  end() {
    this.ended = true;
  }
}
