import { Anchor, Badge, Button, Group, Paper, Progress, SimpleGrid, Table, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { useReadingSwitch } from "../../api/hooks";
import { useJobs } from "../../api/operations";
import type { Counted, StoppedReading } from "../../api/types";
import { useMay } from "../../app/session";
import { useMoment, useProblem } from "../../components/access";
import { PageHead } from "../../components/PageHead";
import { Refusal } from "../../components/Refusal";
import { TableCard } from "../../components/TableCard";
import { useNote } from "../../components/text";

/** Work that is due, runs or stopped. */
export default function JobsPage() {
  const { t } = useTranslation();
  const jobs = useJobs();
  const data = jobs.data;
  return (
    <>
      <PageHead title={t("nav.jobs")} text={t("admin.jobs.text")} />
      <SimpleGrid cols={{ base: 1, sm: 3 }} mb="md">
        <Due name="series" due={data?.series_due} />
        <Due name="readings" due={data?.readings_due} />
        <Due name="results" due={data?.results_due} />
      </SimpleGrid>
      <Title order={2} size="h4" mb="xs">{t("admin.jobs.running")}</Title>
      <TableCard query={jobs} needs="operate" columns={[t("admin.study"), t("admin.jobs.progress")]} empty={t("admin.jobs.noneRuns")} acts minWidth={420}>
        {(data?.running ?? []).map((reading) => (
          <Table.Tr key={reading.study_uid}>
            <Table.Td><StudyLink uid={reading.study_uid} /></Table.Td>
            <Table.Td miw={160}>
              <Progress value={100 * reading.progress} animated aria-label={t("reading.reading")} />
            </Table.Td>
            <Table.Td ta="right"><Switch uid={reading.study_uid} act="cancel" /></Table.Td>
          </Table.Tr>
        ))}
      </TableCard>
      <Title order={2} size="h4" mt="lg" mb="xs">{t("admin.jobs.stopped")}</Title>
      <TableCard
        query={jobs}
        needs="operate"
        columns={[t("admin.study"), t("admin.state"), t("admin.jobs.why"), t("admin.since")]}
        empty={t("admin.jobs.noneStopped")}
        acts
      >
        {(data?.stopped ?? []).map((reading) => (
          <Stopped key={reading.study_uid} reading={reading} />
        ))}
      </TableCard>
    </>
  );
}

function Due({ name, due }: { name: string; due: Counted | undefined }) {
  const { t } = useTranslation();
  return (
    <Paper withBorder p="md">
      <Text size="xl" fw={700}>
        {due ? `${due.or_more ? "> " : ""}${due.count.toLocaleString()}` : "–"}
      </Text>
      <Text size="sm">{t(`admin.jobs.due.${name}`)}</Text>
    </Paper>
  );
}

/** A study's report, or a version of it. */
export function StudyLink({ uid, version }: { uid: string; version?: number }) {
  const { t } = useTranslation();
  const views = useMay("view");
  const text = (
    <Text span size="xs" ff="monospace" style={{ wordBreak: "break-all" }}>
      {uid}{version !== undefined && ` · ${t("review.version", { version })}`}
    </Text>
  );
  return views ? <Anchor component={Link} to={`/studies/${uid}${version === undefined ? "" : `?version=${version}`}`}>{text}</Anchor> : text;
}

function Stopped({ reading }: { reading: StoppedReading }) {
  const { t } = useTranslation();
  const note = useNote();
  const moment = useMoment();
  return (
    <Table.Tr>
      <Table.Td><StudyLink uid={reading.study_uid} /></Table.Td>
      <Table.Td>
        <Badge variant="light" color={reading.failed ? "red" : "yellow"}>{t(reading.failed ? "reading.failed" : "reading.cancelled")}</Badge>
      </Table.Td>
      <Table.Td><Text size="sm">{reading.reason ? note(reading.reason) : ""}</Text></Table.Td>
      <Table.Td><Text size="xs" c="dimmed">{moment(reading.since)}</Text></Table.Td>
      <Table.Td ta="right"><Switch uid={reading.study_uid} act="resume" /></Table.Td>
    </Table.Tr>
  );
}

function Switch({ uid, act }: { uid: string; act: "cancel" | "resume" }) {
  const { t } = useTranslation();
  const problem = useProblem();
  const predicts = useMay("predict");
  const acts = useReadingSwitch(uid);
  if (!predicts) return null;
  return (
    <Group justify="end" gap="xs">
      <Refusal text={acts.isError ? problem(acts.error, "predict") : null} />
      <Button size="xs" variant="default" loading={acts.isPending} onClick={() => acts.mutate(act)}>
        {t(act === "cancel" ? "report.cancel" : "admin.retry")}
      </Button>
    </Group>
  );
}
