import { Badge, Group, Paper, Stack, Text, ThemeIcon } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { UrinaryStoneReport } from "../../api/types";
import { aboutOptions, useStatement } from "../../components/reportText";
import { scoreText } from "../../components/text";

const look = {
  yes: { color: "red", sign: "!" },
  no: { color: "hilum", sign: "✓" },
  not_assessed: { color: "yellow", sign: "?" },
} as const;

/** The result in one line, and how far it may be trusted. */
export function ResultCard({ report }: { report: UrinaryStoneReport }) {
  const { t } = useTranslation();
  const statement = useStatement();
  const { result, review } = report;
  // Where a physician signed, what counts is what the review left.
  const reviewed = review && (review.stone_count > 0 ? "yes" : result.stone_present === "not_assessed" ? "not_assessed" : "no");
  const { color, sign } = look[reviewed ?? result.stone_present];
  return (
    <Paper withBorder p="lg" style={{ borderInlineStart: `6px solid var(--mantine-color-${color}-6)` }}>
      <Group wrap="nowrap" align="start" gap="lg">
        <ThemeIcon size={56} radius="xl" color={color} variant="light">
          <Text fw={700} size="xl" aria-hidden>
            {sign}
          </Text>
        </ThemeIcon>
        <Stack gap={6} flex={1}>
          <Text size="xl" fw={700}>
            {reviewed && reviewed !== "not_assessed"
              ? t(`result.reviewed_${reviewed}`, { count: review.stone_count })
              : t(`result.${result.stone_present}`, { count: result.stone_count })}
          </Text>
          {reviewed && result.stone_present !== "not_assessed" && (
            <Text size="sm">{t("result.byModel", { count: result.stone_count })}</Text>
          )}
          {result.refusal && <Text>{statement(result.refusal)}</Text>}
          {result.highest_score != null && (
            <Text c="dimmed" size="sm">
              {t("result.score", {
                score: scoreText(result.highest_score, 3),
                threshold: result.score_threshold?.toFixed(2) ?? "–",
              })}{" "}
              {!result.score_is_calibrated && t("result.notCalibrated")}
            </Text>
          )}
          <Group gap={6} mt={4}>
            {report.disclaimers.filter((one) => !aboutOptions.has(one.code)).map((disclaimer) => (
              <Badge
                key={disclaimer.code}
                variant="outline"
                color="gray"
                tt="none"
                fw={500}
                h="auto"
                py={3}
                style={{ whiteSpace: "normal" }}
              >
                {statement(disclaimer)}
              </Badge>
            ))}
          </Group>
        </Stack>
      </Group>
    </Paper>
  );
}
