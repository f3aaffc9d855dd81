import { Badge, Paper, Table, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { SeriesSummary, UrinaryStoneReport } from "../../api/types";
import { useStatement } from "../../components/reportText";
import { useNote } from "../../components/text";
import { geometryOf } from "../../viewer/choice";

/** The study's series, and why one of them was read. */
export function SeriesTable({ series, report }: { series: SeriesSummary[]; report: UrinaryStoneReport | null }) {
  const { t } = useTranslation();
  const note = useNote();
  const statement = useStatement();
  const why = (one: SeriesSummary) => {
    const read = report?.study.series;
    if (read?.series_uid === one.series_uid) return statement(read.why);
    const passedOver = report?.coverage.series_not_chosen.find((other) => other.series_uid === one.series_uid);
    return passedOver ? statement(passedOver.reason) : one.why;
  };
  return (
    <Paper withBorder>
      <Title order={2} size="h4" px="md" pt="md">
        {t("series.title")}
      </Title>
      <Table.ScrollContainer minWidth={760}>
        <Table verticalSpacing="xs" horizontalSpacing="md">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t("series.number")}</Table.Th>
              <Table.Th>{t("series.description")}</Table.Th>
              <Table.Th>{t("series.plane")}</Table.Th>
              <Table.Th ta="right">{t("series.images")}</Table.Th>
              <Table.Th>{t("series.spacing")}</Table.Th>
              <Table.Th>{t("series.kernel")}</Table.Th>
              <Table.Th>{t("series.contrast")}</Table.Th>
              <Table.Th>{t("series.findings")}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {series.map((one) => (
              <Table.Tr key={one.series_uid}>
                <Table.Td>{one.number ?? "–"}</Table.Td>
                <Table.Td>
                  {one.description || "–"}{" "}
                  {one.chosen && (
                    <Badge size="sm" variant="light">
                      {t("series.chosen")}
                    </Badge>
                  )}
                  <Text size="xs" c="dimmed">
                    {why(one)}
                  </Text>
                </Table.Td>
                <Table.Td>{one.plane ? t(`plane.${one.plane}`, { defaultValue: one.plane }) : "–"}</Table.Td>
                <Table.Td ta="right">{one.slices}</Table.Td>
                <Table.Td style={{ whiteSpace: "nowrap" }}>
                  {one.spacing_mm ? `${one.spacing_mm.map((value) => Number(value.toFixed(2))).join(" × ")} mm` : "–"}
                </Table.Td>
                <Table.Td>{one.kernel ?? "–"}</Table.Td>
                <Table.Td>{one.contrast === null ? "–" : t(one.contrast ? "series.yes" : "series.no")}</Table.Td>
                <Table.Td>
                  {geometryOf(one).map((finding, index) => (
                    <Text size="xs" key={`${finding.code}-${index}`}>
                      {note(finding)}
                    </Text>
                  ))}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Paper>
  );
}
