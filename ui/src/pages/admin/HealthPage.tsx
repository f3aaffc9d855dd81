import { Alert, Button, Center, Code, Loader, Paper, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

import { useHealth } from "../../api/operations";
import { useProblem } from "../../components/access";
import { PageHead } from "../../components/PageHead";

const colours: Record<string, string> = { serious: "red", warning: "yellow", note: "blue" };

/** What is weak in settings and surroundings, and what to do about it. */
export default function HealthPage() {
  const { t } = useTranslation();
  const problem = useProblem();
  const health = useHealth();
  return (
    <>
      <PageHead title={t("nav.health")} text={t("admin.health.text")}>
        <Button variant="default" loading={health.isFetching} onClick={() => void health.refetch()}>{t("admin.again")}</Button>
      </PageHead>
      {health.isPending && <Center py={60}><Loader aria-label={t("form.loading")} /></Center>}
      {health.isError && <Alert color="red" role="alert">{problem(health.error, "operate")}</Alert>}
      {health.data?.length === 0 && (
        <Paper withBorder p="xl"><Text ta="center">{t("admin.health.nothing")}</Text></Paper>
      )}
      <Stack gap="sm">
        {health.data?.map((finding) => (
          <Alert
            key={`${finding.code} ${finding.text}`}
            variant="light"
            color={colours[finding.severity] ?? "gray"}
            title={`${t(`admin.health.${finding.severity}`, { defaultValue: finding.severity })} · ${t(`admin.health.known.${finding.code}`, { defaultValue: finding.code })}`}
          >
            <Text size="sm">→ {t(`admin.health.todo.${finding.code}`, { defaultValue: finding.advice })}</Text>
            {/* With paths and figures, as the command line says it. */}
            <Text size="xs" c="dimmed" mt={4} lang="en">{finding.code}: {finding.text}</Text>
          </Alert>
        ))}
      </Stack>
      <Text size="sm" c="dimmed" mt="md">{t("admin.health.more")} <Code>hilum doctor</Code></Text>
    </>
  );
}
