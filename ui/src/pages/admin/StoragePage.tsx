import { Alert, Anchor, Button, Center, Code, Group, Loader, Paper, Progress, SimpleGrid, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { useStorage } from "../../api/operations";
import { useMay } from "../../app/session";
import { useMoment, useProblem } from "../../components/access";
import { bytesText } from "../../components/bytes";
import { PageHead } from "../../components/PageHead";
import { Fact } from "./PeersPage";

/** What the store holds, and how much room is left. */
export default function StoragePage() {
  const { t, i18n } = useTranslation();
  const problem = useProblem();
  const moment = useMoment();
  const views = useMay("view");
  const storage = useStorage();
  const held = storage.data;
  const bytes = (value: number) => bytesText(value, i18n.language);
  const used = held && held.disk_bytes > 0 ? 100 - (100 * held.free_bytes) / held.disk_bytes : 0;
  return (
    <>
      <PageHead title={t("nav.storage")} text={t("admin.storage.text")}>
        <Button variant="default" loading={storage.isFetching} onClick={() => void storage.refetch()}>{t("admin.again")}</Button>
      </PageHead>
      {storage.isPending && <Center py={60}><Loader aria-label={t("form.loading")} /></Center>}
      {storage.isError && <Alert color="red" role="alert">{problem(storage.error, "operate")}</Alert>}
      {held && (
        <Stack>
          <Paper withBorder p="md">
            <SimpleGrid cols={{ base: 2, sm: 4 }}>
              <Fact name={t("admin.storage.studies")} value={held.studies.toLocaleString(i18n.language)} />
              <Fact name={t("admin.storage.instances")} value={held.instances.toLocaleString(i18n.language)} />
              <Fact name={t("admin.storage.segments")} value={bytes(held.segment_bytes)} />
              <Fact name={t("admin.storage.place")} value={t(`admin.storage.${held.place}`, { defaultValue: held.place })} />
            </SimpleGrid>
          </Paper>
          <Paper withBorder p="md">
            <Group justify="space-between" mb={4}>
              <Text size="sm">{t("admin.storage.disk")}</Text>
              <Text size="sm">{t("admin.storage.free", { free: bytes(held.free_bytes), all: bytes(held.disk_bytes) })}</Text>
            </Group>
            <Progress value={used} color={used > 90 ? "red" : used > 75 ? "yellow" : "hilum"} aria-label={t("admin.storage.disk")} />
            {used > 90 && <Alert color="red" variant="light" mt="sm" p="xs">{t("admin.storage.nearlyFull")}</Alert>}
          </Paper>
          <Paper withBorder p="md">
            <Text size="sm">
              {held.last_backup_at ? t("admin.storage.backup", { at: moment(held.last_backup_at) }) : t("admin.storage.noBackup")}
            </Text>
            <Code>hilum backup DIR</Code>
          </Paper>
          {held.quarantined > 0 && (
            <Alert color="orange">
              {t("admin.storage.quarantined", { count: held.quarantined })}{" "}
              {views && <Anchor component={Link} to="/" c="inherit" td="underline">{t("admin.storage.seeThem")}</Anchor>}
            </Alert>
          )}
          <Text size="sm" c="dimmed">{t("admin.storage.check")}</Text>
        </Stack>
      )}
    </>
  );
}
