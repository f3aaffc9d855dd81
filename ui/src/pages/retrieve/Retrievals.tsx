import { Badge, Button, Group, Paper, Progress, Stack, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";

import { useRetrievals, useRetrieve } from "../../api/operations";
import type { Retrieval } from "../../api/types";

const colours: Record<Retrieval["state"], string> = { running: "blue", done: "hilum", cancelled: "gray", failed: "red" };

/** What was asked for from peers since the server started. */
export function Retrievals() {
  const { t } = useTranslation();
  const retrievals = useRetrievals();
  const all = retrievals.data ?? [];
  if (all.length === 0) return null;
  return (
    <Stack gap="xs" mt="lg">
      <Title order={2} size="h4">{t("retrieve.under")}</Title>
      {all.map((one) => (
        <One key={one.id} one={one} />
      ))}
    </Stack>
  );
}

function One({ one }: { one: Retrieval }) {
  const { t } = useTranslation();
  const { cancel } = useRetrieve();
  const running = one.state === "running";
  const expected = one.completed + one.failed + (one.remaining ?? 0);
  const value = one.state === "done" ? 100 : expected > 0 ? (100 * (one.completed + one.failed)) / expected : 0;
  return (
    <Paper withBorder p="sm">
      <Group justify="space-between" mb={6}>
        <Group gap="xs">
          <Text fw={600} size="sm">{one.peer}</Text>
          <Badge size="sm" variant="light" color={colours[one.state]}>{t(`retrieve.state.${one.state}`)}</Badge>
          <Text size="sm" role="status">
            {t("retrieve.came", { done: one.studies_done, studies: one.studies, instances: one.completed })}
            {one.failed > 0 && ` · ${t("retrieve.lost", { count: one.failed })}`}
          </Text>
        </Group>
        {running && (
          <Button size="compact-xs" variant="default" loading={cancel.isPending} onClick={() => cancel.mutate(one.id)}>
            {t("upload.cancel")}
          </Button>
        )}
      </Group>
      <Progress value={value} animated={running} aria-label={t("retrieve.under")} />
      {one.message && <Text size="xs" c="red" mt={4}>{one.message}</Text>}
    </Paper>
  );
}
