import { memo, useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";

import { Pointer } from "../../viewer/pointer";
import type { PaneName } from "../../viewer/state";
import type { Viewer } from "../../viewer/Viewer";
import { useLayer, useViewerState } from "./useViewer";

interface Props {
  viewer: Viewer;
  name: PaneName;
  /** Who it is, where that is shown. */
  patient: string[];
}

/** A pane with its image counter. React makes the frame; what is in it draws itself. */
export const PaneView = memo(function PaneView({ viewer, name, patient }: Props) {
  const { t } = useTranslation();
  const surface = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLDivElement>(null);
  const over = useRef<SVGSVGElement>(null);
  useEffect(() => {
    if (!surface.current || !canvas.current || !over.current) return undefined;
    const detach = viewer.attach(name, canvas.current, over.current);
    const pane = viewer.pane(name);
    const pointer = pane && new Pointer(viewer, pane, surface.current);
    return () => {
      pointer?.close();
      detach();
    };
  }, [viewer, name]);

  const layer = useLayer(viewer, name);
  const { series, window, slab, slabMm, overlay, active } = useViewerState(viewer, "series", "window", "slab", "slabMm", "overlay", "active");
  const at = layer ? layer.at + 1 : 0;
  const of = layer?.of ?? 0;
  const title = t(`viewer.pane.${name}`);
  return (
    <section className="pane" aria-label={title}>
      <div
        ref={surface}
        className="pane-surface"
        data-active={active === name}
        role="group"
        tabIndex={0}
        aria-label={t("viewer.pane.label", { name: title, at, of })}
        onFocus={() => viewer.activate(name)}
      >
        <div ref={canvas} className="pane-canvas" />
        <svg ref={over} className="pane-over" aria-hidden />
        {overlay && (
          <>
            <div className="pane-text" data-corner="top-left">
              <div>{title}</div>
              {name !== "coronal" && name !== "sagittal" && patient.map((line, at) => <div key={`${at} ${line}`}>{line}</div>)}
            </div>
            {name !== "coronal" && name !== "sagittal" && (
              <div className="pane-text" data-corner="top-right">
                <div>{series?.description}</div>
                <div>{series?.modality}</div>
              </div>
            )}
            <div className="pane-text" data-corner="bottom-left">
              {slab !== "none" && name !== "stack" && <div>{t(`viewer.slab.${slab}`, { mm: slabMm })}</div>}
              {window && <div>{t("viewer.windowText", { width: window.width, centre: window.centre })}</div>}
            </div>
          </>
        )}
      </div>
      <div className="pane-counter">
        <button type="button" aria-label={t("viewer.previousImage", { name: title })} onClick={() => viewer.scroll(-1, name)}>
          ◀
        </button>
        <input
          type="range"
          aria-label={t("viewer.image", { name: title })}
          min={1}
          max={Math.max(1, of)}
          value={Math.max(1, at)}
          onChange={(event) => viewer.goTo(Number(event.currentTarget.value) - 1, name)}
        />
        <output aria-label={t("viewer.counter", { name: title })}>
          {at} / {of}
        </output>
        <button type="button" aria-label={t("viewer.nextImage", { name: title })} onClick={() => viewer.scroll(1, name)}>
          ▶
        </button>
      </div>
    </section>
  );
});
