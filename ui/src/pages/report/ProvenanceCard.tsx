import { Code, Paper, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { UrinaryStoneReport } from "../../api/types";

/** Which model, engine and software made the report, so that it can be made again. */
export function ProvenanceCard({ report }: { report: UrinaryStoneReport }) {
  const { t, i18n } = useTranslation();
  const { provenance } = report;
  const facts: [string, string][] = [
    [t("provenance.model"), provenance.model?.name ?? t("provenance.none")],
    [t("provenance.modelHash"), provenance.model?.hash ?? "–"],
    [t("provenance.planHash"), provenance.model?.plan_hash ?? "–"],
    [t("provenance.inputHash"), provenance.input_hash ?? "–"],
    [t("provenance.engine"), [provenance.engine, provenance.precision].filter(Boolean).join(" · ") || "–"],
    [
      t("provenance.report"),
      t("provenance.version", { version: report.version, at: new Date(report.created_at).toLocaleString(i18n.language) }),
    ],
  ];
  return (
    <Paper withBorder p="md">
      <Title order={2} size="h4">{t("provenance.title")}</Title>
      {provenance.model && (
        <Text size="sm" c="dimmed" mb="xs">
          {provenance.model.synthetic_trained ? t("studies.syntheticModel", { name: provenance.model.name }) : provenance.model.first_line}
        </Text>
      )}
      <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="xs" mt="xs">
        {facts.map(([name, value]) => (
          <Stack gap={0} key={name}>
            <Text size="xs" c="dimmed">
              {name}
            </Text>
            <Code style={{ wordBreak: "break-all" }}>{value}</Code>
          </Stack>
        ))}
      </SimpleGrid>
    </Paper>
  );
}
