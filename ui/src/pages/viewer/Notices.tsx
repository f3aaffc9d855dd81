import { Alert, Center, Stack, Text } from "@mantine/core";
import type { ReactNode } from "react";
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

/** In place of images where the browser draws none. */
export function NoWebGl({ children }: { children?: ReactNode }) {
  const { t } = useTranslation();
  return (
    <Center mih="100dvh" p="md">
      <Alert color="yellow" title={t("viewer.noWebGl.title")} maw={560} role="alert">
        <Stack gap="sm">
          <Text size="sm">{t("viewer.noWebGl.text")}</Text>
          {children}
        </Stack>
      </Alert>
    </Center>
  );
}
