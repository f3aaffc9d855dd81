import { Alert, Badge, Center, Divider, Loader, Stack, Table, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

import { useStudy } from "../../../api/hooks";
import type { Acquisition, Range, SeriesSummary } from "../../../api/types";
import { useProblem } from "../../../components/access";
import { useNote } from "../../../components/text";
import { geometryOf } from "../../../viewer/choice";
import { useAcquisition } from "../useWorklist";

/** "120" where all say the same, "90–140" where they differ; nothing where none says. */
function rangeText(range: Range | null | undefined, decimals = 0): string {
  if (!range) return "";
  const text = (value: number) => value.toFixed(decimals);
  return text(range.low) === text(range.high) ? text(range.low) : `${text(range.low)}–${text(range.high)}`;
}

function facts(series: SeriesSummary, taken: Acquisition | undefined): [string, string][] {
  const spacing = series.spacing_mm?.map((value) => Number((value ?? 0).toFixed(2))).join(" × ");
  const all: [string, string | null | undefined][] = [
    ["protocol", taken?.protocol],
    ["bodyPart", taken?.body_part],
    ["kvp", rangeText(taken?.kvp)],
    ["current", rangeText(taken?.tube_current_ma)],
    ["exposure", rangeText(taken?.exposure_mas)],
    ["dose", rangeText(taken?.ctdi_vol_mgy, 2)],
    ["pitch", rangeText(taken?.pitch, 2)],
    ["kernel", taken?.kernel ?? series.kernel],
    ["thickness", rangeText(taken?.slice_thickness_mm, 2)],
    ["spacing", spacing],
    ["matrix", taken?.matrix?.join(" × ")],
    ["diameter", rangeText(taken?.reconstruction_diameter_mm)],
    ["tilt", rangeText(taken?.gantry_tilt_degrees, 1)],
    ["contrastAgent", taken?.contrast_agent],
    ["position", taken?.patient_position],
    ["scanner", [taken?.manufacturer, taken?.model].filter(Boolean).join(" ")],
  ];
  return all.filter((one): one is [string, string] => Boolean(one[1]));
}

/** How each series was taken, as its headers say it, and what the check of its geometry found. */
export function AcquisitionPane({ studyUid }: { studyUid: string }) {
  const { t } = useTranslation();
  const problem = useProblem();
  const note = useNote();
  const study = useStudy(studyUid);
  const acquisition = useAcquisition(studyUid);
  const failed = study.error ?? acquisition.error;
  if (failed && !study.data) return <Alert color="red" role="alert">{problem(failed, "view")}</Alert>;
  if (!study.data || acquisition.isPending) {
    return (
      <Center py="md">
        <Loader size="sm" aria-label={t("form.loading")} />
      </Center>
    );
  }
  return (
    <Stack gap="sm">
      {study.data.conflicts.map((conflict) => (
        <Alert key={conflict.code} color="orange" p="xs">{note(conflict)}</Alert>
      ))}
      {study.data.series.map((series, index) => {
        const taken = acquisition.data?.find((one) => one.series_uid === series.series_uid);
        const known = facts(series, taken);
        return (
          <section key={series.series_uid} aria-label={series.description || t("worklist.acquisition.series")}>
            {index > 0 && <Divider mb="sm" />}
            <Text size="sm" fw={600}>
              {series.number ?? "–"} · {series.modality} · {series.description || "–"}{" "}
              {series.chosen && <Badge size="xs" variant="light">{t("series.chosen")}</Badge>}
            </Text>
            <Text size="xs" c="dimmed">
              {[series.plane && t(`plane.${series.plane}`, { defaultValue: series.plane }), t("worklist.images", { count: series.slices })]
                .filter(Boolean)
                .join(" · ")}
            </Text>
            {geometryOf(series).map((finding, at) => (
              <Alert key={`${finding.code}-${at}`} color="orange" variant="light" p={6} mt={4} fz="xs">
                {note(finding)}
              </Alert>
            ))}
            {taken?.unreadable && <Alert color="red" variant="light" p={6} mt={4} fz="xs">{note(taken.unreadable)}</Alert>}
            {known.length > 0 && (
              <Table variant="vertical" verticalSpacing={2} horizontalSpacing={6} fz="xs" mt={4} layout="fixed">
                <Table.Tbody>
                  {known.map(([name, value]) => (
                    <Table.Tr key={name}>
                      <Table.Th w={150} fw={500}>{t(`worklist.acquisition.${name}`)}</Table.Th>
                      <Table.Td>{value}</Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            )}
          </section>
        );
      })}
    </Stack>
  );
}
