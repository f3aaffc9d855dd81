import { Table, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { GuidelineOptions, KidneyScores as Kidney } from "../../api/types";

/** How hard each kidney's stones are to remove through the skin, as far as it is known. */
export function KidneyScores({ options }: { options: GuidelineOptions }) {
  if (!options.kidneys?.length) return null;
  const titles = new Map(options.sources.map((source) => [source.id, source.title ?? source.id]));
  return (
    <>
      {options.kidneys.map((kidney) => (
        <OneKidney key={kidney.side} kidney={kidney} titles={titles} />
      ))}
    </>
  );
}

function OneKidney({ kidney, titles }: { kidney: Kidney; titles: Map<string, string> }) {
  const { t } = useTranslation();
  const heading = t(`kidneyScores.${kidney.side}`, { stones: kidney.stones.join(", ") });
  return (
    <section aria-label={heading}>
      <Title order={3} size="h5" mb={4}>
        {heading}
      </Title>
      <Table.ScrollContainer minWidth={640}>
        <Table verticalSpacing={6} fz="sm">
          <Table.Thead>
            <Table.Tr>
              {(["score", "points", "items", "stoneFree", "missing"] as const).map((column) => (
                <Table.Th key={column}>{t(`kidneyScores.${column}`)}</Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {kidney.scores.map((one) => (
              <Table.Tr key={one.score}>
                <Table.Td fw={600}>{titles.get(one.score) ?? one.score}</Table.Td>
                <Table.Td>
                  {span(one.points)}{" "}
                  <Text span size="xs" c="dimmed">
                    {t("kidneyScores.scale", { scale: span(one.scale) })}
                  </Text>
                </Table.Td>
                <Table.Td c="dimmed">
                  {one.items.map((item) => `${t(`kidneyScores.item.${item.item}`, { defaultValue: item.item })} ${span(item.points)}`).join(", ")}
                </Table.Td>
                <Table.Td>{one.stone_free_percent ? `${span(one.stone_free_percent)} %` : "–"}</Table.Td>
                <Table.Td c="dimmed">{one.missing.map((input) => t(`ruleInput.${input}`)).join(", ") || "–"}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </section>
  );
}

const span = ([low, high]: readonly number[]) => (low === high ? `${low}` : `${low}–${high}`);
