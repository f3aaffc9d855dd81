import { useEffect, useRef } from "react";
import { useSearchParams } from "react-router";

import { isPreset, presetOf, presets, type Window } from "../../viewer/presets";
import { type Layout, layouts, type ViewerState } from "../../viewer/state";
import type { Viewer } from "../../viewer/Viewer";
import { useViewerState } from "./useViewer";

/** What of a viewer stands in the address: nothing of the patient. */
export interface Looked {
  series: string | null;
  /** From 0 on. */
  image: number | null;
  layout: Layout | null;
  window: Window | null;
  finding: number | null;
}

const number = (text: string | null): number | null => (text !== null && /^[0-9]{1,6}$/.test(text) && Number(text) > 0 ? Number(text) : null);

export function lookedAt(search: URLSearchParams): Looked {
  const [series, layout, preset, window] = ["series", "layout", "preset", "window"].map((key) => search.get(key));
  const own = /^([0-9]{1,5})\/(-?[0-9]{1,5})$/.exec(window ?? "");
  const image = number(search.get("image"));
  return {
    series: series ?? null,
    image: image === null ? null : image - 1,
    layout: layouts.find((one) => one === layout) ?? null,
    window: isPreset(preset ?? null) ? { ...presets[preset as keyof typeof presets] } : own && Number(own[1]) > 0 ? { width: Number(own[1]), centre: Number(own[2]) } : null,
    finding: number(search.get("finding")),
  };
}

function addressOf(state: Pick<ViewerState, "series" | "layout" | "layers" | "window" | "finding">, version: string | null): URLSearchParams {
  const search = new URLSearchParams();
  const { series, layout, layers, window, finding } = state;
  if (series && !series.local) search.set("series", series.seriesUid);
  search.set("layout", layout);
  const layer = layout === "stack" ? layers.stack : layers.axial;
  if (layer) search.set("image", String(layer.at + 1));
  if (window) {
    const preset = presetOf(window);
    if (preset) search.set("preset", preset);
    else search.set("window", `${window.width}/${window.centre}`);
  }
  if (finding !== null) search.set("finding", String(finding));
  if (version !== null) search.set("version", version);
  return search;
}

/** Keeps the address in step, a moment after the last change: browsers refuse more than some hundred changes in half a minute. */
export function AddressKeeper({ viewer }: { viewer: Viewer }) {
  const state = useViewerState(viewer, "series", "layout", "layers", "window", "finding");
  const [search, setSearch] = useSearchParams();
  const wanted = state.series ? addressOf(state, search.get("version")).toString() : null;
  const set = useRef(setSearch);
  set.current = setSearch;
  useEffect(() => {
    if (wanted === null) return undefined;
    const soon = setTimeout(() => set.current(new URLSearchParams(wanted), { replace: true, preventScrollReset: true }), 400);
    return () => clearTimeout(soon);
  }, [wanted]);
  return null;
}
