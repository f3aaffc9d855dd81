import type { Tool } from "../../viewer/state";

/** Drawn on 24 by 24, in lines. */
const paths: Record<Tool | "reset" | "stack" | "mpr" | "visible" | "hidden" | "keys" | "files" | "information" | "link" | "back", string> = {
  window: "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18",
  pan: "M12 3v18M3 12h18M12 3l-3 3M12 3l3 3M12 21l-3-3M12 21l3-3M3 12l3-3M3 12l3 3M21 12l-3-3M21 12l-3 3",
  zoom: "M10 4a6 6 0 1 0 0 12a6 6 0 0 0 0-12M14.5 14.5L21 21M10 7.5v5M7.5 10h5",
  scroll: "M4 7l8-4 8 4-8 4zM4 12l8 4 8-4M4 17l8 4 8-4",
  crosshair: "M12 2v7M12 15v7M2 12h7M15 12h7M12 12h.01",
  length: "M4 20L20 4M4 20l1-4M4 20l4-1M20 4l-1 4M20 4l-4 1",
  ellipse: "M12 6c5 0 9 2.700 9 6s-4 6-9 6-9-2.700-9-6 4-6 9-6z",
  probe: "M12 4v5M12 15v5M4 12h5M15 12h5M12 10.500a1.500 1.500 0 1 0 0 3a1.500 1.500 0 0 0 0-3",
  brush: "M20 4L9 15M9 15c-3-1-5 1-5 5 4 0 6-2 5-5z",
  eraser: "M8 20h12M4 15l9-10 7 6-8 9H8z",
  reset: "M4 12a8 8 0 1 0 3-6.200M4 4v4h4",
  stack: "M4 4h16v16H4z",
  mpr: "M3 4h18v16H3zM9 4v16M15 4v16",
  visible: "M2 12c4-7 16-7 20 0-4 7-16 7-20 0zM12 9a3 3 0 1 0 0 6a3 3 0 0 0 0-6",
  hidden: "M2 12c4-7 16-7 20 0-4 7-16 7-20 0zM4 20L20 4",
  keys: "M3 6h18v12H3zM7 10h.01M11 10h.01M15 10h.01M8 14h8",
  files: "M3 6h6l2 3h10v10H3z",
  information: "M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18M12 11v6M12 7.500h.01",
  link: "M10 14a4 4 0 0 0 6 0l3-3a4.200 4.200 0 0 0-6-6l-1.500 1.500M14 10a4 4 0 0 0-6 0l-3 3a4.200 4.200 0 0 0 6 6l1.500-1.500",
  back: "M14 5l-7 7 7 7",
};

export type IconName = keyof typeof paths;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg width={18} height={18} viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth={1.8} strokeLinecap="round" strokeLinejoin="round" aria-hidden>
      <path d={paths[name]} />
    </svg>
  );
}
