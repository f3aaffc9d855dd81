import { Badge, Group, Text } from "@mantine/core";
import { memo } from "react";
import { useTranslation } from "react-i18next";

import type { StudySummary } from "../../api/types";
import { ReadingBadge } from "../../components/ReadingBadge";
import { patientName, useSex } from "../../components/text";
import { PriorityBadge, WorkflowBadge } from "./badges";
import { rowId } from "./StudyGrid";

interface Props {
  study: StudySummary;
  index: number;
  /** px from the beginning of the rows. */
  top: number;
  selected: boolean;
  onSelect: (uid: string) => void;
  onOpen: (uid: string) => void;
}

/** A study in the list. It is drawn again only where something of it changed. */
export const StudyRow = memo(function StudyRow({ study, index, top, selected, onSelect, onOpen }: Props) {
  const { t, i18n } = useTranslation();
  const { patient } = study;
  const name = patientName(patient, i18n.language);
  const sex = useSex()(patient);
  const tags = [...study.body_parts, ...(study.contrast === true ? [t("worklist.contrast.yes")] : [])];
  return (
    <div
      id={rowId(study.study_uid)}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={selected}
      className="grid-row"
      data-priority={study.priority}
      style={{ transform: `translateY(${top}px)` }}
      onClick={() => onSelect(study.study_uid)}
      onDoubleClick={() => onOpen(study.study_uid)}
    >
      <div role="gridcell">
        <PriorityBadge priority={study.priority} />
      </div>
      <div role="gridcell">
        <Text fw={600} size="sm" truncate>
          {name.main || t("studies.nameless")}
          {name.beside && (
            <Text span size="xs" c="dimmed" fw={400} ml={6}>
              {name.beside}
            </Text>
          )}
        </Text>
        <Text size="xs" c="dimmed" truncate>
          {[sex, patient.birth_date].filter(Boolean).join(" · ") || " "}
        </Text>
      </div>
      <div role="gridcell">
        <Text size="sm" truncate>{patient.id || "–"}</Text>
        <Text size="xs" c="dimmed" truncate>{study.accession || " "}</Text>
      </div>
      <div role="gridcell">
        <Text size="sm" style={{ whiteSpace: "nowrap" }}>{study.study_date || "–"}</Text>
        <Text size="xs" c="dimmed">{study.study_time.slice(0, 5) || " "}</Text>
      </div>
      <div role="gridcell">
        <Text size="sm" truncate>{study.modalities.join(", ") || "–"}</Text>
      </div>
      <div role="gridcell">
        <Text size="sm" truncate>{study.description || t("studies.undescribed")}</Text>
        <Group gap={4} wrap="nowrap">
          {study.synthetic && (
            <Badge size="xs" color="grape" variant="light">
              {t("studies.synthetic")}
            </Badge>
          )}
          <Text size="xs" c="dimmed" truncate>{tags.join(" · ") || " "}</Text>
        </Group>
      </div>
      <div role="gridcell">
        <Text size="xs" c="dimmed">{t("worklist.series", { count: study.series_count })}</Text>
        <Text size="xs" c="dimmed">{t("worklist.images", { count: study.instance_count })}</Text>
      </div>
      <div role="gridcell">
        <ReadingBadge reading={study.reading} />
      </div>
      <div role="gridcell">
        <WorkflowBadge workflow={study.workflow} />
      </div>
    </div>
  );
});
