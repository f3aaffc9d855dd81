import { Paper, Table, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { Stone } from "../../api/types";
import { millimetres, scoreText } from "../../components/text";

export function StonesTable({ stones }: { stones: Stone[] }) {
  const { t } = useTranslation();
  return (
    <Paper withBorder>
      <Table.ScrollContainer minWidth={760}>
        <Table verticalSpacing="xs" horizontalSpacing="md">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t("stones.number")}</Table.Th>
              <Table.Th>{t("stones.place")}</Table.Th>
              <Table.Th ta="right">{t("stones.diameter")}</Table.Th>
              <Table.Th ta="right">{t("stones.volume")}</Table.Th>
              <Table.Th ta="right">{t("stones.hu")}</Table.Th>
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
                  {t(`side.${stone.side}`)} {t(`part.${stone.part}`)}
                </Table.Td>
                <Table.Td ta="right">{millimetres(stone.largest_diameter_mm)}</Table.Td>
                <Table.Td ta="right">{millimetres(stone.volume_mm3)}</Table.Td>
                <Table.Td ta="right">
                  {Math.round(stone.hu.mean)} / {stone.hu.max}
                </Table.Td>
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
