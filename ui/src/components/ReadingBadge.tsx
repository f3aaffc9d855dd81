import { Badge, Progress, Stack, Text, Tooltip } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { ReadingState } from "../api/types";
import { scoreText, useNote } from "./text";

/** Where a study's reading stands, in one cell. Colour never carries the meaning alone. */
export function ReadingBadge({ reading }: { reading: ReadingState }) {
  const { t } = useTranslation();
  const note = useNote();
  switch (reading.state) {
    case "receiving":
    case "queued":
      return (
        <Badge variant="light" color="gray">
          {t(`reading.${reading.state}`)}
        </Badge>
      );
    case "reading":
      return (
        <Stack gap={4} miw={130}>
          <Text size="xs">{t("reading.readingAt", { percent: Math.round(100 * reading.progress) })}</Text>
          <Progress size="sm" value={100 * reading.progress} aria-label={t("reading.reading")} />
        </Stack>
      );
    case "done":
      return reading.stone_present ? (
        <Stack gap={2} align="start">
          <Badge color="red" variant="filled">
            {t("reading.stones", { count: reading.stone_count ?? 0 })}
          </Badge>
          {reading.highest_score !== null && (
            <Text size="xs" c="dimmed" style={{ whiteSpace: "nowrap" }}>
              {t("reading.score", { score: scoreText(reading.highest_score) })}
            </Text>
          )}
        </Stack>
      ) : (
        <Badge color="hilum" variant="light">
          {t("reading.noStone")}
        </Badge>
      );
    case "refused":
    case "not_applicable":
    case "no_model":
    case "cancelled":
    case "failed":
      return (
        <Tooltip label={reading.reason ? note(reading.reason) : ""} disabled={!reading.reason} multiline w={320}>
          <Badge color={reading.state === "failed" ? "red" : "yellow"} variant="light">
            {t(`reading.${reading.state}`)}
          </Badge>
        </Tooltip>
      );
  }
}
