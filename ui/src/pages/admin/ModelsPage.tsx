import { Alert, Badge, Center, Code, Group, Loader, Paper, Stack, Table, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";

import { useModels } from "../../api/operations";
import type { FigureView, ModelView } from "../../api/types";
import { useMoment, useProblem } from "../../components/access";
import { PageHead } from "../../components/PageHead";

const interval = (ci: (number | null)[] | null | undefined) => (ci ? ` (${(ci[0] ?? 0).toFixed(2)}–${(ci[1] ?? 0).toFixed(2)})` : "");

/** The cards of the models that read. */
export default function ModelsPage() {
  const { t } = useTranslation();
  const problem = useProblem();
  const models = useModels();
  return (
    <>
      <PageHead title={t("nav.models")} text={t("admin.models.text")} />
      {models.isPending && <Center py={60}><Loader aria-label={t("form.loading")} /></Center>}
      {models.isError && <Alert color="red" role="alert">{problem(models.error)}</Alert>}
      {models.data?.length === 0 && (
        <Paper withBorder p="xl">
          <Text ta="center" fw={600}>{t("studies.noModel")}</Text>
          <Text ta="center" c="dimmed">{t("studies.noModelHelp")}</Text>
          <Center mt="sm"><Code>{'model = "/path/to/model"'}</Code></Center>
        </Paper>
      )}
      <Stack>{models.data?.map((model) => <Card key={model.hash} model={model} />)}</Stack>
    </>
  );
}

function Card({ model }: { model: ModelView }) {
  const { t } = useTranslation();
  const moment = useMoment();
  const facts: [string, string][] = [
    ["hash", model.hash],
    ["trainedAt", moment(model.trained_at)],
    ["engine", model.engine],
    ["suitableFor", model.suitable_for],
    ["distance", t("admin.models.from", { low: model.slice_distance_mm[0], high: model.slice_distance_mm[1] })],
    ["threshold", model.threshold.toFixed(2)],
    ["trainingData", model.training_data],
    ["evaluatedOn", t("admin.models.patients", { count: model.patients, from: model.patients_from })],
  ];
  return (
    <Paper withBorder p="md">
      <Group gap="sm" mb="xs">
        <Title order={2} size="h4">{model.name}</Title>
        {model.synthetic_trained && <Badge color="grape" variant="light">{t("admin.models.synthetic")}</Badge>}
      </Group>
      <Alert color="yellow" variant="light" mb="sm">{model.statement}</Alert>
      <Table variant="vertical" fz="sm" layout="fixed" mb="md">
        <Table.Tbody>
          {facts.map(([name, value]) => (
            <Table.Tr key={name}>
              <Table.Th w={220}>{t(`admin.models.${name}`)}</Table.Th>
              <Table.Td style={{ wordBreak: "break-all" }}>{value}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <Title order={3} size="h5" mb={4}>{t("admin.models.figures")}</Title>
      <Text size="xs" c="dimmed" mb="xs">{model.matching_rule}</Text>
      <Table.ScrollContainer minWidth={420} type="native" tabIndex={0}>
        <Table fz="sm">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t("admin.models.size")}</Table.Th>
              <Table.Th ta="right">{t("admin.models.found")}</Table.Th>
              <Table.Th ta="right">{t("admin.models.sensitivity")}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {model.sensitivity.map((one) => (
              <Table.Tr key={one.diameter_mm.join("-")}>
                <Table.Td>{t("admin.models.from", { low: one.diameter_mm[0], high: one.diameter_mm[1] })}</Table.Td>
                <Table.Td ta="right">{one.found} / {one.n}</Table.Td>
                <Table.Td ta="right">{one.value == null ? "–" : one.value.toFixed(2)}{interval(one.ci95)}</Table.Td>
              </Table.Tr>
            ))}
            <Figure name="falsePositives" figure={model.false_positives} />
            {model.dice && <Figure name="dice" figure={model.dice} />}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Paper>
  );
}

function Figure({ name, figure }: { name: string; figure: FigureView }) {
  const { t } = useTranslation();
  return (
    <Table.Tr>
      <Table.Td>{t(`admin.models.${name}`)}</Table.Td>
      <Table.Td ta="right">n = {figure.n}</Table.Td>
      <Table.Td ta="right">{figure.value.toFixed(2)}{interval(figure.ci95)}</Table.Td>
    </Table.Tr>
  );
}
