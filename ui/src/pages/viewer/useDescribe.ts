import { useEffect } from "react";
import { useTranslation } from "react-i18next";

import type { Viewer } from "../../viewer/Viewer";

/** How measurements are written in images: in the reader's language, and without millimetres where there are none. */
export function useDescribe(viewer: Viewer) {
  const { t, i18n } = useTranslation();
  useEffect(() => {
    viewer.describe = (kind, { mm, area, hu }) => {
      switch (kind) {
        case "length":
          return mm === null ? [] : [`${mm.toFixed(1)} mm`];
        case "ellipse":
          return [
            ...(area === null ? [] : [`${area.toFixed(0)} mm²`]),
            ...(hu === null ? [] : [t("viewer.statistics", { mean: hu.mean.toFixed(0), sd: hu.sd.toFixed(0) }), t("viewer.range", { min: hu.min, max: hu.max, count: hu.count })]),
          ];
        case "probe":
          return hu === null ? [] : [`${hu.mean.toFixed(0)} HU`];
      }
    };
    viewer.redraw();
  }, [viewer, t, i18n.language]);
}
