import { Box, Progress, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQueryClient } from "@tanstack/react-query";
import { type DragEvent, type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";

import { droppedFiles, storeFiles } from "../../api/stow";
import { useProblem } from "../../components/access";

/** Files and folders dropped on the list are stored, by those who may send. */
export function DropArea({ enabled, children }: { enabled: boolean; children: ReactNode }) {
  const { t } = useTranslation();
  const problem = useProblem();
  const client = useQueryClient();
  const [over, setOver] = useState(false);
  const [sending, setSending] = useState<{ done: number; total: number } | null>(null);

  async function drop(event: DragEvent) {
    event.preventDefault();
    setOver(false);
    if (!enabled) return;
    const files = await droppedFiles(event.dataTransfer);
    if (files.length === 0) return;
    setSending({ done: 0, total: files.length });
    try {
      const stored = await storeFiles(files, (done) => setSending({ done, total: files.length }));
      notifications.show({
        color: stored.refused > 0 ? "yellow" : "hilum",
        title: t("drop.done", { count: stored.kept }),
        message: stored.refused > 0 ? t("drop.refused", { count: stored.refused }) : t("drop.willBeRead"),
      });
    } catch (error) {
      notifications.show({ color: "red", title: t("drop.failed"), message: problem(error, "store") });
    } finally {
      setSending(null);
      await client.invalidateQueries();
    }
  }

  return (
    <Box
      className={over ? "dropping" : ""}
      onDragOver={(event) => {
        event.preventDefault();
        // What may not be dropped must not be opened by the browser in this page's place either.
        if (enabled) setOver(true);
        else event.dataTransfer.dropEffect = "none";
      }}
      onDragLeave={(event) => event.currentTarget.contains(event.relatedTarget as Node | null) || setOver(false)}
      onDrop={(event) => void drop(event)}
    >
      {sending && (
        <Box mb="md" role="status">
          <Text size="sm">{t("drop.sending", sending)}</Text>
          <Progress animated value={(100 * sending.done) / sending.total} />
        </Box>
      )}
      {children}
    </Box>
  );
}
