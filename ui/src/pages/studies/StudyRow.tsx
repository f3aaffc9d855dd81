import { Badge, Group, Stack, Table, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";

import type { StudySummary } from "../../api/types";
import { ReadingBadge } from "../../components/ReadingBadge";
import { patientName } from "../../components/text";

export function StudyRow({ study }: { study: StudySummary }) {
  const { t, i18n } = useTranslation();
  const navigate = useNavigate();
  const { patient } = study;
  const name = patientName(patient, i18n.language);
  const open = () => void navigate(`/studies/${study.study_uid}`);
  const sex = patient.sex === "M" || patient.sex === "F" || patient.sex === "O" ? t(`sex.${patient.sex}`) : "";
  return (
    <Table.Tr
      className="study-row"
      tabIndex={0}
      role="link"
      aria-label={t("studies.open", { name: name.main })}
      onClick={open}
      onKeyDown={(event) => (event.key === "Enter" || event.key === " ") && open()}
    >
      <Table.Td>
        <Stack gap={2}>
          <Group gap={8}>
            <Text fw={600}>{name.main || t("studies.nameless")}</Text>
            {name.beside && (
              <Text size="sm" c="dimmed">
                {name.beside}
              </Text>
            )}
          </Group>
          <Text size="xs" c="dimmed">
            {[patient.id, sex, patient.birth_date].filter(Boolean).join(" · ")}
          </Text>
        </Stack>
      </Table.Td>
      <Table.Td>
        <Stack gap={2}>
          <Group gap={8}>
            <Text>{study.description || t("studies.undescribed")}</Text>
            {study.synthetic && (
              <Badge size="sm" color="grape" variant="light">
                {t("studies.synthetic")}
              </Badge>
            )}
          </Group>
          <Text size="xs" c="dimmed">
            {[study.study_date, study.study_time.slice(0, 5)].filter(Boolean).join(" ")}
          </Text>
        </Stack>
      </Table.Td>
      <Table.Td>
        <Text size="sm">{study.modalities.join(", ")}</Text>
        <Text size="xs" c="dimmed">
          {t("studies.counts", { series: study.series_count, images: study.instance_count })}
        </Text>
      </Table.Td>
      <Table.Td>
        <ReadingBadge reading={study.reading} />
      </Table.Td>
    </Table.Tr>
  );
}
