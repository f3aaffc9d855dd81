import { List, Paper, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { UrinaryStoneReport } from "../../api/types";
import { useStatement } from "../../components/reportText";

/** What was looked at, and, in the foreground, what was not. */
export function CoverageCard({ report }: { report: UrinaryStoneReport }) {
  const { t } = useTranslation();
  const statement = useStatement();
  const { coverage, geometry_findings } = report;
  const blocks = [
    { title: t("coverage.not"), statements: coverage.not_looked_at, empty: t(coverage.slices_searched > 0 ? "coverage.nothingLeft" : "coverage.nothingSearched") },
    { title: t("coverage.looked"), statements: coverage.looked_at, empty: "" },
    { title: t("coverage.geometry"), statements: geometry_findings, empty: "" },
  ];
  return (
    <Paper withBorder p="md" h="100%">
      <Title order={2} size="h4" mb="xs">
        {t("coverage.title")}
      </Title>
      <Text size="sm" c="dimmed" mb="sm">
        {t("coverage.slices", { searched: coverage.slices_searched, total: coverage.slices_total })}
      </Text>
      {blocks
        .filter((block) => block.statements.length > 0 || block.empty)
        .map((block) => (
          <div key={block.title}>
            <Text size="sm" fw={600} mt="xs">
              {block.title}
            </Text>
            {block.statements.length === 0 ? (
              <Text size="sm" c="dimmed">
                {block.empty}
              </Text>
            ) : (
              <List size="sm" spacing={2}>
                {block.statements.map((one, index) => (
                  <List.Item key={`${one.code}-${index}`}>{statement(one)}</List.Item>
                ))}
              </List>
            )}
          </div>
        ))}
    </Paper>
  );
}
