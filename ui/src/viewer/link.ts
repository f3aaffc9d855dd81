import { cross, dot, type Point3, unit } from "./space";
import type { Slice } from "./stack";

/** Where the slices of a series lie: mm along their normal, which all of them share. */
export interface Places {
  normal: Point3;
  mm: number[];
}

/** Cosine of what still counts as the same direction: between the slices of a series, and between two studies (about 15 degrees). */
const same = 0.9999;
const alike = 0.966;

/** Null where slices do not say where they lie, or are not parallel to one another. */
export function placesOf(slices: readonly Slice[]): Places | null {
  const [first] = slices;
  if (!first?.orientation) return null;
  const normal = unit(cross(...first.orientation));
  const mm: number[] = [];
  for (const { position, orientation } of slices) {
    if (!position || !orientation || dot(unit(cross(...orientation)), normal) < same) return null;
    mm.push(dot(position, normal));
  }
  return { normal, mm };
}

/** The slice that lies nearest to a place; of two that are as near, the first. */
export function nearest({ mm }: Places, place: number): number {
  return mm.reduce((best, one, at) => (Math.abs(one - place) < Math.abs((mm[best] ?? Infinity) - place) ? at : best), 0);
}

/** 1 where normals point the same way, -1 where they point at one another, null where slices are not parallel. */
export function sense(one: Places, other: Places): 1 | -1 | null {
  const along = dot(one.normal, other.normal);
  return Math.abs(along) < alike ? null : along > 0 ? 1 : -1;
}

/** What can be scrolled with another: a viewer, by the slices of its series. */
export interface Scrolled {
  subscribe: (listener: () => void) => () => void;
  state: () => { series: { seriesUid: string; slices: readonly Slice[] } | null };
  /** The slice that is shown; null as long as there is none. */
  slice: () => number | null;
  goToSlice: (at: number) => void;
}

/** Why two are not scrolled together any more: slices that are not parallel, or another series. */
export type Unlinked = "apart" | "ended";

/** One of the two, as it was when they were linked. */
interface End {
  scrolled: Scrolled;
  seriesUid: string;
  slices: readonly Slice[];
  places: Places;
  /** Where it was (mm). */
  from: number;
  /** The slice that was seen last. */
  at: number;
}

function endOf(scrolled: Scrolled): End | "apart" | null {
  const { series } = scrolled.state();
  const at = scrolled.slice();
  if (!series || at === null) return null;
  const places = placesOf(series.slices);
  const from = places?.mm[at];
  return places && from !== undefined ? { scrolled, seriesUid: series.seriesUid, slices: series.slices, places, from, at } : "apart";
}

/**
 * Scrolls each of two with the other, by as many mm along the normal as it went from where it was when they were linked: as soon as both
 * show a slice. Nothing adds up: a place follows from the two at which they were linked, whoever led meanwhile, and where slices lie
 * further apart, or end, the nearest is shown. The act that ends it; it ends by itself where it cannot be.
 */
export function link(one: Scrolled, other: Scrolled, onEnd: (why: Unlinked) => void): () => void {
  let ends: [End, End] | null = null;
  let turned: 1 | -1 = 1;
  let led = false;
  const unlink = () => stops.forEach((stop) => stop());
  const give = (why: Unlinked) => {
    unlink();
    onEnd(why);
  };

  function begin() {
    const [a, b] = [endOf(one), endOf(other)];
    if (a === null || b === null) return;
    const way = a === "apart" || b === "apart" ? null : sense(a.places, b.places);
    if (a === "apart" || b === "apart" || way === null) {
      give("apart");
      return;
    }
    turned = way;
    ends = [a, b];
  }

  /** More slices of the same series may have come. */
  function renewed(end: End): boolean {
    const { series } = end.scrolled.state();
    if (series?.seriesUid !== end.seriesUid) return false;
    if (series.slices !== end.slices) {
      const places = placesOf(series.slices);
      if (!places) return false;
      Object.assign(end, { slices: series.slices, places });
    }
    return true;
  }

  function hear(from: 0 | 1) {
    if (led) return;
    if (!ends) {
      begin();
      return;
    }
    const [leads, follows] = [ends[from], ends[from === 0 ? 1 : 0]];
    if (!renewed(leads) || !renewed(follows)) {
      give("ended");
      return;
    }
    const at = leads.scrolled.slice();
    if (at === null || at === leads.at) return;
    leads.at = at;
    const now = leads.places.mm[at];
    if (now === undefined || follows.scrolled.slice() === null) return;
    led = true;
    try {
      follows.scrolled.goToSlice(nearest(follows.places, follows.from + turned * (now - leads.from)));
    } finally {
      led = false;
    }
    follows.at = follows.scrolled.slice() ?? follows.at;
  }

  const stops = [one.subscribe(() => hear(0)), other.subscribe(() => hear(1))];
  begin();
  return unlink;
}
