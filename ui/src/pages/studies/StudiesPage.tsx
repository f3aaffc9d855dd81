import { Alert, Badge, Button, Center, Group, Loader, Paper, Stack, Table, Text, TextInput, Title } from "@mantine/core";
import { useDebouncedValue, useHotkeys } from "@mantine/hooks";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { useQuarantine, useStudies, useSystem } from "../../api/hooks";
import { useMay } from "../../app/session";
import { useProblem } from "../../components/access";
import { DropArea } from "./DropArea";
import { EmptyList } from "./EmptyList";
import { QuarantineNotice } from "./QuarantineNotice";
import { StudyRow } from "./StudyRow";

const columns = ["patient", "study", "series", "reading"] as const;

export function StudiesPage() {
  const { t } = useTranslation();
  const problem = useProblem();
  const stores = useMay("store");
  const [text, setText] = useState("");
  const [wanted] = useDebouncedValue(text.trim(), 200);
  const search = useRef<HTMLInputElement>(null);
  useHotkeys([["/", () => search.current?.focus()]]);
  useEffect(() => {
    document.title = `${t("studies.title")} · Hilum`;
  }, [t]);
  const studies = useStudies(wanted);
  const system = useSystem();
  const quarantine = useQuarantine();
  const rows = studies.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <DropArea enabled={stores}>
      <Group justify="space-between" mb="md" align="end">
        <Stack gap={2}>
          <Title order={1} size="h2">{t("studies.title")}</Title>
          <Text c="dimmed" size="sm">
            {t(stores ? "studies.subtitleStore" : "studies.subtitle")}
          </Text>
        </Stack>
        <TextInput
          ref={search}
          w={320}
          placeholder={t("studies.search")}
          aria-label={t("studies.search")}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => event.key === "Escape" && setText("")}
          rightSection={<Badge variant="default" radius="sm" size="sm">/</Badge>}
        />
      </Group>
      {system.data && system.data.model === null && (
        <Alert color="yellow" mb="md" title={t("studies.noModel")}>
          {t("studies.noModelHelp")}
        </Alert>
      )}
      {system.data?.model?.synthetic_trained && (
        <Alert color="yellow" variant="light" mb="md" p="xs">
          {t("studies.syntheticModel", { name: system.data.model.name })}
        </Alert>
      )}
      <QuarantineNotice entries={quarantine.data ?? []} />
      <Paper withBorder style={{ overflow: "hidden" }}>
        {studies.isPending && (
          <Center py={60}>
            <Loader aria-label={t("studies.loading")} />
          </Center>
        )}
        {studies.isError && (
          <Alert color="red" title={t("studies.failed")}>
            {problem(studies.error, "view")}
          </Alert>
        )}
        {studies.isSuccess && rows.length === 0 && <EmptyList searched={wanted} demo={system.data?.demo ?? false} stores={stores} />}
        {rows.length > 0 && (
          <Table.ScrollContainer minWidth={820}>
            <Table highlightOnHover verticalSpacing="sm" horizontalSpacing="md">
              <Table.Thead>
                <Table.Tr>
                  {columns.map((column) => (
                    <Table.Th key={column}>{t(`studies.column.${column}`)}</Table.Th>
                  ))}
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {rows.map((study) => (
                  <StudyRow key={study.study_uid} study={study} />
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        )}
      </Paper>
      {studies.hasNextPage && (
        <Center mt="md">
          <Button variant="default" loading={studies.isFetchingNextPage} onClick={() => void studies.fetchNextPage()}>
            {t("studies.more")}
          </Button>
        </Center>
      )}
    </DropArea>
  );
}
