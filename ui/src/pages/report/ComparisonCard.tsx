import { List, Paper, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { Comparison, EarlierStone } from "../../api/types";
import { millimetres } from "../../components/text";

/** What became of the stones of the patient's last study before this one. What the physician `rejected` is struck through. */
export function ComparisonCard({ comparison, rejected }: { comparison: Comparison; rejected: ReadonlySet<number> }) {
  const { t } = useTranslation();
  const named = (stone: EarlierStone) =>
    t("comparison.stone", { number: stone.number, side: t(`side.${stone.side}`), part: t(`part.${stone.part}`), size: millimetres(stone.largest_diameter_mm) });
  return (
    <Paper withBorder p="md">
      <Title order={2} size="h4" mb="xs">
        {t("comparison.title")}
      </Title>
      <Text size="sm" c="dimmed" mb="xs">
        {t("comparison.with", { date: comparison.date ?? "–", version: comparison.report_version })}
      </Text>
      <List size="sm" spacing={2}>
        {comparison.stones.map((one) => (
          <List.Item key={one.stone} td={rejected.has(one.stone) ? "line-through" : undefined}>
            <b>{t("keyImages.stone", { number: one.stone })}</b>:{" "}
            {!one.earlier
              ? t("comparison.new")
              : [
                  t("comparison.was", { stone: named(one.earlier) }),
                  t(`comparison.${one.change}`, { by: millimetres(Math.abs(one.diameter_change_mm ?? 0)) }),
                  one.descended_mm == null ? null : t("comparison.descended", { by: one.descended_mm.toFixed(0) }),
                ]
                  .filter(Boolean)
                  .join("; ")}
          </List.Item>
        ))}
        {comparison.gone.map((one) => (
          <List.Item key={`gone-${one.earlier.number}`}>
            {t(one.looked_at ? "comparison.gone" : "comparison.notLooked", { stone: named(one.earlier) })}
          </List.Item>
        ))}
        {comparison.without_place?.map((one) => (
          <List.Item key={`added-${one.number}`}>{t("comparison.withoutPlace", { stone: named(one) })}</List.Item>
        ))}
      </List>
    </Paper>
  );
}
