import { Button, Group, Progress, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

import { isPending, useReadingSwitch } from "../../api/hooks";
import type { StudyDetail } from "../../api/types";
import { useAskForReading } from "../../api/viewer";
import { useMay } from "../../app/session";
import { useProblem } from "../../components/access";

/** Lets the study be read by the network, says how far that is, and stops it. */
export function PredictButton({ study }: { study: StudyDetail }) {
  const { t } = useTranslation();
  const problem = useProblem();
  const predicts = useMay("predict");
  const ask = useAskForReading(study.study_uid);
  const reading = useReadingSwitch(study.study_uid);
  const { state, progress } = study.reading;
  const failure = ask.error ?? reading.error;
  const refused = failure !== null && (
    <Text size="xs" c="var(--mantine-color-error)" role="alert" maw={320}>
      {problem(failure, "predict")}
    </Text>
  );
  if (isPending(study.reading)) {
    const percent = Math.round(100 * progress);
    return (
      <Group gap={8} role="status">
        {refused}
        <Text size="sm">{t(`reading.${state}`)}</Text>
        <Progress w={120} animated value={state === "reading" ? percent : 0} aria-label={t("reading.reading")} />
        <Text size="sm" w={40} ta="right">
          {percent} %
        </Text>
        {predicts && (
          <Button size="xs" variant="default" loading={reading.isPending} onClick={() => reading.mutate("cancel")}>
            {t("report.cancel")}
          </Button>
        )}
      </Group>
    );
  }
  return (
    <Group gap={8}>
      {refused}
      <Text size="sm" role="status">
        {state === "done" && study.reading.stone_count !== null && study.reading.stone_present
          ? t("reading.stones", { count: study.reading.stone_count })
          : t(state === "done" ? "reading.noStone" : `reading.${state}`)}
      </Text>
      {predicts && (
        <Button
          size="xs"
          loading={ask.isPending || reading.isPending}
          data-action="predict"
          onClick={() => (state === "cancelled" || state === "failed" ? reading.mutate("resume") : ask.mutate())}
        >
          {t("viewer.predict")}
        </Button>
      )}
    </Group>
  );
}
