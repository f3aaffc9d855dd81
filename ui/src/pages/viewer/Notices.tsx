import { Alert } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { Viewer } from "../../viewer/Viewer";
import { useViewerState } from "./useViewer";

/** What did not come, until somebody has read it. */
export function Trouble({ viewer }: { viewer: Viewer }) {
  const { t } = useTranslation();
  const { trouble } = useViewerState(viewer, "trouble");
  if (!trouble) return null;
  return (
    <Alert color="red" radius={0} role="alert" py="xs" withCloseButton closeButtonLabel={t("form.close")} onClose={() => viewer.set({ trouble: null })}>
      {t(`viewer.trouble.${trouble}`)}
    </Alert>
  );
}
