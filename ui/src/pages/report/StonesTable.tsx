import { Paper, Table, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { Stone } from "../../api/types";
import { usePlace, useStatement, within } from "../../components/reportText";
import { millimetres, scoreText } from "../../components/text";

export function StonesTable({ stones }: { stones: Stone[] }) {
  const { t } = useTranslation();
  const place = usePlace();
  const statement = useStatement();
  return (
    <Paper withBorder>
      <Table.ScrollContainer minWidth={1000}>
        <Table verticalSpacing="xs" horizontalSpacing="md">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t("stones.number")}</Table.Th>
              <Table.Th>{t("stones.place")}</Table.Th>
              <Table.Th ta="right">{t("stones.diameter")}</Table.Th>
              <Table.Th ta="right">{t("stones.planes")}</Table.Th>
              <Table.Th ta="right">{t("stones.volume")}</Table.Th>
              <Table.Th ta="right">{t("stones.hu")}</Table.Th>
              <Table.Th ta="right">{t("stones.skin")}</Table.Th>
              <Table.Th ta="right">{t("stones.slices")}</Table.Th>
              <Table.Th>{t("stones.centre")}</Table.Th>
              <Table.Th ta="right">{t("stones.score")}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {stones.map((stone) => (
              <Table.Tr key={stone.number}>
                <Table.Td fw={600}>{stone.number}</Table.Td>
                <Table.Td>
                  {place(stone)}
                  {stone.site && (
                    <Text size="xs" c="dimmed">
                      {t("stones.probability", { value: stone.site.probability.toFixed(2) })}
                    </Text>
                  )}
                  {stone.mimic && (
                    <Text size="xs" c="var(--mantine-color-orange-light-color)">
                      {statement(stone.mimic.statement)}
                    </Text>
                  )}
                </Table.Td>
                <Table.Td ta="right">{within(stone.largest_diameter_mm, stone.largest_diameter_interval_mm)}</Table.Td>
                <Table.Td ta="right">
                  {[stone.axial_diameter_mm, stone.coronal_diameter_mm, stone.width_mm].map((mm) => millimetres(mm ?? null)).join(" / ")}
                </Table.Td>
                <Table.Td ta="right">{within(stone.volume_mm3, stone.volume_interval_mm3)}</Table.Td>
                <Table.Td ta="right">
                  {Math.round(stone.hu.mean)} / {stone.hu.max}
                  {stone.core_hu ? ` / ${stone.core_hu.estimated ? "≈" : ""}${Math.round(stone.core_hu.value)}` : ""}
                </Table.Td>
                <Table.Td ta="right">{stone.skin_to_stone_mm == null ? "–" : stone.skin_to_stone_mm.toFixed(0)}</Table.Td>
                <Table.Td ta="right">
                  {stone.slices.first + 1}–{stone.slices.last + 1}
                </Table.Td>
                <Table.Td>
                  <Text size="xs" c="dimmed">
                    {stone.centre_mm ? stone.centre_mm.map((value) => value.toFixed(0)).join(", ") : "–"}
                  </Text>
                </Table.Td>
                <Table.Td ta="right">{scoreText(stone.score)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Paper>
  );
}
