import { cache, Enums, imageLoadPoolManager, imageRetrievalPoolManager, init } from "@cornerstonejs/core";
import { init as initLoader } from "@cornerstonejs/dicom-image-loader";

import { registerFrames } from "./frames";

const MiB = 1024 * 1024;

/** What single images may take: what is looked at, and what lies around it. */
export const stackBytes = 512 * MiB;
/** Three planes of more than this are not offered: browsers end a page that takes a few GB. */
export const volumeBytes = 1536 * MiB;

/** What each viewer holds at most; Cornerstone's cache is one for all of them. */
const claims = new Map<object, number>();

/** Lets a viewer hold so many bytes, or (null) nothing any more. */
export function claim(viewer: object, bytes: number | null) {
  if (bytes === null) claims.delete(viewer);
  else claims.set(viewer, bytes);
  cache.setMaxCacheSize(Math.max(stackBytes, [...claims.values()].reduce((sum, one) => sum + one, 0)));
}

let begun = false;

/** Whether this browser draws at all. */
export function canDraw(): boolean {
  try {
    return document.createElement("canvas").getContext("webgl2") !== null;
  } catch {
    return false;
  }
}

/**
 * One sample of each pixel: a slice has no slanted edges to smooth, and four samples cost a fifth of a frame where the processor draws. vtk.js lets nobody say so.
 */
function sampleOnce() {
  const { prototype } = HTMLCanvasElement;
  const getContext = prototype.getContext as (kind: string, options?: object) => RenderingContext | null;
  prototype.getContext = function (this: HTMLCanvasElement, kind: string, options?: object) {
    return getContext.call(this, kind, kind === "webgl2" ? { ...options, antialias: false } : options);
  } as typeof prototype.getContext;
}

/** Images that are not wanted any more end in an AbortError, which Cornerstone rethrows where nobody catches it. */
function passOverAborts(event: PromiseRejectionEvent) {
  if (event.reason instanceof DOMException && event.reason.name === "AbortError") event.preventDefault();
}

/** Begins with Cornerstone, once. */
export function begin() {
  if (begun) return;
  begun = true;
  sampleOnce();
  window.addEventListener("unhandledrejection", passOverAborts);
  const mobile = navigator.maxTouchPoints > 0 && Math.min(screen.width, screen.height) < 600;
  init({
    isMobile: mobile,
    // All panes draw in one context, so that a volume is one texture and not three.
    rendering: { webGlContextCount: 1 },
    debug: {},
  });
  const cores = navigator.hardwareConcurrency || 2;
  initLoader({ maxWebWorkers: Math.min(4, Math.max(1, cores - 1)), useLegacyMetadataProvider: true });
  registerFrames();
  cache.setMaxCacheSize(stackBytes);
  for (const manager of [imageLoadPoolManager, imageRetrievalPoolManager]) {
    manager.setMaxSimultaneousRequests(Enums.RequestType.Interaction, 8);
    manager.setMaxSimultaneousRequests(Enums.RequestType.Prefetch, 6);
  }
}
