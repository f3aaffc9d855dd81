import { Alert, Badge, Button, Center, Group, Loader, Stack, Table, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

import { isPending, useReadingSwitch, useReport } from "../../../api/hooks";
import type { StudySummary } from "../../../api/types";
import { useMay } from "../../../app/session";
import { useProblem } from "../../../components/access";
import { ReadingBadge } from "../../../components/ReadingBadge";
import { usePlace, useStatement } from "../../../components/reportText";
import { millimetres, scoreText, useNote } from "../../../components/text";

/** The result in short; the report itself is a button away. */
export function ReportPane({ study }: { study: StudySummary }) {
  const { t } = useTranslation();
  const problem = useProblem();
  const note = useNote();
  const statement = useStatement();
  const place = usePlace();
  const predicts = useMay("predict");
  const acts = useReadingSwitch(study.study_uid);
  const report = useReport(study.study_uid, study.reading);
  const found = report.data ?? null;
  const { reading } = study;
  return (
    <Stack gap="sm">
      <Group justify="space-between">
        <ReadingBadge reading={reading} />
        {predicts && isPending(reading) && (
          <Button size="compact-xs" variant="default" loading={acts.isPending} onClick={() => acts.mutate("cancel")}>
            {t("report.cancel")}
          </Button>
        )}
        {predicts && (reading.state === "cancelled" || reading.state === "failed") && (
          <Button size="compact-xs" variant="default" loading={acts.isPending} onClick={() => acts.mutate("resume")}>
            {t("report.resume")}
          </Button>
        )}
      </Group>
      {reading.reason && <Text size="sm">{note(reading.reason)}</Text>}
      {report.isPending && (
        <Center py="md">
          <Loader size="sm" aria-label={t("form.loading")} />
        </Center>
      )}
      {report.isError && <Alert color="red" role="alert">{problem(report.error, "view")}</Alert>}
      {report.isSuccess && !found && <Text size="sm" c="dimmed">{t("worklist.detail.noReport")}</Text>}
      {found && (
        <>
          {found.result.refusal && <Text size="sm">{statement(found.result.refusal)}</Text>}
          {found.signature && (
            <Badge variant="light" color="hilum">{t("worklist.detail.signedBy", { name: found.signature.by })}</Badge>
          )}
          {found.stones.length > 0 && (
            <Table verticalSpacing={4} horizontalSpacing={6} fz="xs">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t("stones.number")}</Table.Th>
                  <Table.Th>{t("stones.place")}</Table.Th>
                  <Table.Th ta="right">mm</Table.Th>
                  <Table.Th ta="right">HU</Table.Th>
                  <Table.Th ta="right">{t("stones.score")}</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {found.stones.map((stone) => (
                  <Table.Tr key={stone.number}>
                    <Table.Td fw={600}>{stone.number}</Table.Td>
                    <Table.Td>{place(stone)}</Table.Td>
                    <Table.Td ta="right">{millimetres(stone.largest_diameter_mm)}</Table.Td>
                    <Table.Td ta="right">{Math.round(stone.hu.mean)}</Table.Td>
                    <Table.Td ta="right">{scoreText(stone.score)}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          )}
          {found.coverage.not_looked_at.map((one) => (
            <Text size="xs" c="dimmed" key={one.code}>{statement(one)}</Text>
          ))}
          {found.provenance.model?.synthetic_trained && (
            <Text size="xs" c="dimmed">{t("studies.syntheticModel", { name: found.provenance.model.name })}</Text>
          )}
        </>
      )}
    </Stack>
  );
}
