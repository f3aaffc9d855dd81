import { List, Paper, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { UrinaryStoneReport } from "../../api/types";
import { useStatement } from "../../components/reportText";
import { millimetres } from "../../components/text";

/** What the network marked and is no urinary stone by its place, each with the reason. */
export function RejectedCard({ rejected }: { rejected: NonNullable<UrinaryStoneReport["rejected"]> }) {
  const { t } = useTranslation();
  const statement = useStatement();
  return (
    <Paper withBorder p="md">
      <Title order={2} size="h4" mb={4}>
        {t("rejected.title", { count: rejected.length })}
      </Title>
      <Text size="sm" c="dimmed" mb="xs">
        {t("rejected.help")}
      </Text>
      <List size="sm" spacing={2}>
        {rejected.map((one) => (
          <List.Item key={one.finding.number}>
            {statement(one.statement)}{" "}
            <Text span c="dimmed" size="xs">
              {t("rejected.what", {
                size: millimetres(one.finding.largest_diameter_mm),
                hu: Math.round(one.finding.hu.mean),
                slice: one.finding.slices.key + 1,
              })}
            </Text>
          </List.Item>
        ))}
      </List>
    </Paper>
  );
}
