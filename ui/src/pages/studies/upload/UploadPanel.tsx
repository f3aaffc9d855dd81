import { Badge, Button, CloseButton, Collapse, Group, Paper, Progress, ScrollArea, Stack, Table, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useEffect, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";

import { useProblem } from "../../../components/access";
import { type FileState, type Sent, uploads } from "./queue";

/** Files that are listed one by one; what went wrong comes first. */
const listed = 200;

const order: readonly FileState[] = ["failed", "refused", "sending", "cancelled", "skipped", "waiting", "kept"];
const colours: Record<FileState, string> = {
  waiting: "gray", sending: "blue", kept: "hilum", refused: "red", failed: "red", skipped: "yellow", cancelled: "gray",
};

/** What becomes of the files on their way, on whichever page. */
export function UploadPanel() {
  const { t, i18n } = useTranslation();
  const problem = useProblem();
  const { files, counts, running, opening, error } = useSyncExternalStore(uploads.subscribe, uploads.read);
  const [opened, { toggle }] = useDisclosure(true);
  const busy = running || opening !== null;
  useEffect(() => {
    if (!busy) return undefined;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener("beforeunload", ask);
    return () => window.removeEventListener("beforeunload", ask);
  }, [busy]);
  if (files.length === 0 && !busy) return null;
  const total = files.length;
  const settled = total - counts.waiting - counts.sending;
  const again = counts.failed + counts.refused + counts.cancelled;
  const shown = order.flatMap((state) => files.filter((file) => file.state === state)).slice(0, listed);
  const why = ({ reason }: Sent) => {
    if (reason === null) return "";
    const known = `upload.reason.${reason}`;
    return i18n.exists(known) ? t(known) : t("upload.reason.other", { code: reason });
  };
  return (
    <Paper withBorder shadow="md" p="sm" className="uploads no-print" component="section" aria-label={t("upload.title")}>
      <Stack gap="xs">
        <Group justify="space-between" wrap="nowrap">
          <Text size="sm" fw={600} role="status">
            {opening ? t("upload.opening") : t(busy ? "upload.sending" : "upload.done", { done: settled, total })}
          </Text>
          <Group gap={4} wrap="nowrap">
            <Button size="compact-xs" variant="subtle" onClick={toggle} aria-expanded={opened}>
              {t(opened ? "upload.less" : "upload.more")}
            </Button>
            {busy ? (
              <Button size="compact-xs" variant="default" onClick={() => uploads.cancel()}>{t("upload.cancel")}</Button>
            ) : (
              <CloseButton size="sm" aria-label={t("upload.close")} onClick={() => uploads.clear()} />
            )}
          </Group>
        </Group>
        <Progress value={total === 0 ? 0 : (100 * settled) / total} animated={busy} aria-label={t("upload.title")} />
        <Group gap={4}>
          {order.filter((state) => counts[state] > 0).map((state) => (
            <Badge key={state} size="sm" variant="light" color={colours[state]}>
              {t(`upload.state.${state}`)} {counts[state]}
            </Badge>
          ))}
        </Group>
        {error !== null && <Text size="xs" c="red" role="alert">{problem(error, "store")}</Text>}
        {!busy && again > 0 && (
          <Button size="xs" variant="default" onClick={() => void uploads.retry()}>{t("upload.retry", { count: again })}</Button>
        )}
        <Collapse expanded={opened}>
          <ScrollArea.Autosize mah={220} viewportProps={{ tabIndex: 0 }}>
            <Table fz="xs" verticalSpacing={2} aria-label={t("upload.list")}>
              <Table.Tbody>
                {shown.map((file) => (
                  <Table.Tr key={file.id}>
                    <Table.Td style={{ wordBreak: "break-all" }}>{file.path}</Table.Td>
                    <Table.Td w={90}>
                      <Text size="xs" {...(file.state === "refused" || file.state === "failed" ? { c: "red" } : {})}>
                        {t(`upload.state.${file.state}`)}
                      </Text>
                      {file.reason && <Text size="xs" c="dimmed">{why(file)}</Text>}
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </ScrollArea.Autosize>
          {total > listed && <Text size="xs" c="dimmed">{t("upload.notAll", { count: listed, total })}</Text>}
        </Collapse>
      </Stack>
    </Paper>
  );
}
