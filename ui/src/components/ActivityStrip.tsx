import { Group, Paper, Progress, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

import { useActivity } from "../api/hooks";

/** What runs just now: imports and readings. Nothing when all is quiet. */
export function ActivityStrip() {
  const { t } = useTranslation();
  const { data } = useActivity();
  const imports = data?.imports.filter((one) => one.state === "running") ?? [];
  const readings = data?.readings ?? [];
  if (imports.length === 0 && readings.length === 0) return null;
  const read = readings.reduce((sum, reading) => sum + reading.progress, 0);
  return (
    <Paper withBorder p="sm" mb="md" role="status" aria-live="polite" className="no-print">
      <Stack gap={8}>
        {imports.map((one) => (
          <Group key={one.id} gap="sm" wrap="nowrap">
            <Text size="sm" w={260}>
              {one.total === null
                ? t("activity.importing", { done: one.done })
                : t("activity.importingOf", { done: one.done, total: one.total })}
            </Text>
            <Progress
              flex={1}
              aria-label={t("activity.import")}
              value={one.total ? (100 * one.done) / one.total : 100}
            />
          </Group>
        ))}
        {readings.length > 0 && (
          <Group gap="sm" wrap="nowrap">
            <Text size="sm" w={260}>
              {t("activity.reading", { count: readings.length })}
            </Text>
            <Progress flex={1} aria-label={t("activity.readings")} value={(100 * read) / readings.length} />
          </Group>
        )}
      </Stack>
    </Paper>
  );
}
