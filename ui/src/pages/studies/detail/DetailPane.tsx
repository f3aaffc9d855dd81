import { Button, CloseButton, Group, Paper, SegmentedControl, Stack, Tabs, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { StudySummary } from "../../../api/types";
import { useMay } from "../../../app/session";
import { useProblem } from "../../../components/access";
import { Refusal } from "../../../components/Refusal";
import { patientName } from "../../../components/text";
import { priorities } from "../view";
import { usePriority } from "../useWorklist";
import { AcquisitionPane } from "./AcquisitionPane";
import { ReportPane } from "./ReportPane";

interface Props {
  study: StudySummary;
  onClose: () => void;
  onOpen: (uid: string) => void;
  onReport: (uid: string) => void;
}

/** Beside the list: what the report of the chosen study says, and how its series were taken. */
export function DetailPane({ study, onClose, onOpen, onReport }: Props) {
  const { t, i18n } = useTranslation();
  const problem = useProblem();
  const predicts = useMay("predict");
  const priority = usePriority();
  const name = patientName(study.patient, i18n.language);
  return (
    <Paper withBorder component="aside" className="worklist-detail" aria-label={t("worklist.detail.title")} p="sm">
      <Stack gap="sm">
        <Group justify="space-between" wrap="nowrap" align="start">
          <div>
            <Title order={2} size="h5">{name.main || t("studies.nameless")}</Title>
            <Text size="xs" c="dimmed">
              {[study.patient.id, study.study_date, study.description].filter(Boolean).join(" · ")}
            </Text>
          </div>
          <CloseButton aria-label={t("worklist.detail.close")} onClick={onClose} />
        </Group>
        <Group gap="xs" grow>
          <Button size="xs" onClick={() => onOpen(study.study_uid)}>{t("worklist.detail.images")}</Button>
          <Button size="xs" variant="default" onClick={() => onReport(study.study_uid)}>{t("worklist.detail.report")}</Button>
        </Group>
        {predicts && (
          <div>
            <SegmentedControl
              size="xs"
              fullWidth
              aria-label={t("worklist.column.priority")}
              value={study.priority}
              disabled={priority.isPending}
              data={[...priorities].reverse().map((value) => ({ value, label: t(`worklist.priority.${value}`) }))}
              onChange={(value) => {
                const chosen = priorities.find((one) => one === value);
                if (chosen) priority.mutate({ uid: study.study_uid, priority: chosen });
              }}
            />
            <Refusal text={priority.isError ? problem(priority.error, "predict") : null} />
          </div>
        )}
        <Tabs defaultValue="report" keepMounted={false}>
          <Tabs.List grow>
            <Tabs.Tab value="report">{t("worklist.detail.result")}</Tabs.Tab>
            <Tabs.Tab value="acquisition">{t("worklist.detail.acquisition")}</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="report" pt="sm">
            <ReportPane study={study} />
          </Tabs.Panel>
          <Tabs.Panel value="acquisition" pt="sm">
            <AcquisitionPane studyUid={study.study_uid} />
          </Tabs.Panel>
        </Tabs>
      </Stack>
    </Paper>
  );
}
