import { List, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { RecordedFact } from "../../api/types";

/** What medical records told of the patient and was weighed, each with who told it, by which code, and when that was so. */
export function RecordedFacts({ facts }: { facts: RecordedFact[] }) {
  const { t } = useTranslation();
  if (facts.length === 0) return null;
  return (
    <section aria-label={t("record.title")}>
      <Text size="sm" fw={600}>
        {t("record.title")}
      </Text>
      <Text size="xs" c="dimmed" mb={4}>
        {t("record.help")}
      </Text>
      <List size="sm" mb="md">
        {facts.map((fact) => (
          <List.Item key={fact.input}>
            {t(`ruleInput.${fact.input}`)}: {t(fact.holds ? "options.yes" : "options.no")}{" "}
            <Text span size="xs" c="dimmed">
              {fact.source} · {fact.system} {fact.code} · {fact.observed_at.slice(0, 10)}
            </Text>
          </List.Item>
        ))}
      </List>
    </section>
  );
}
