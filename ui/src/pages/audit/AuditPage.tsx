import { Button, Center, Group, NativeSelect, Paper, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { useAudit } from "../../api/accessHooks";
import { PageHead } from "../../components/PageHead";
import { TableCard } from "../../components/TableCard";
import { AuditRow } from "./AuditRow";
import { actions, dayBegins } from "./words";

const everything = { action: "", actor: "", study: "", from: "", to: "" };

/** The audit trail, newest first. What is looked for stays in the page: an address may end up in somebody's history. */
export function AuditPage() {
  const { t } = useTranslation();
  const [filter, setFilter] = useState(everything);
  const [wanted] = useDebouncedValue(filter, 300);
  const trail = useAudit({
    action: wanted.action,
    actor: wanted.actor.trim(),
    study: wanted.study.trim(),
    from: dayBegins(wanted.from),
    to: dayBegins(wanted.to, 1),
  });
  const set = (change: Partial<typeof everything>) => setFilter((before) => ({ ...before, ...change }));
  const filtered = Object.values(filter).some((value) => value !== "");
  return (
    <>
      <PageHead title={t("audit.title")} text={t("audit.text")} />
      <Paper withBorder p="md" mb="md" component="search">
        <Group align="end" gap="sm">
          <NativeSelect
            label={t("audit.what")}
            w={190}
            value={filter.action}
            onChange={(event) => set({ action: event.currentTarget.value })}
            data={[
              { value: "", label: t("audit.anything") },
              ...actions.map((action) => ({ value: action, label: t(`audit.action.${action}`) })),
            ]}
          />
          <TextInput
            label={t("audit.who")}
            placeholder={t("audit.whoExample")}
            w={170}
            autoCapitalize="none"
            spellCheck={false}
            value={filter.actor}
            onChange={(event) => set({ actor: event.currentTarget.value })}
          />
          <TextInput
            label="Study Instance UID"
            placeholder="1.2.840..."
            flex="1 1 220px"
            spellCheck={false}
            value={filter.study}
            onChange={(event) => set({ study: event.currentTarget.value })}
          />
          <TextInput
            type="date"
            label={t("audit.from")}
            w={150}
            max={filter.to || undefined}
            value={filter.from}
            onChange={(event) => set({ from: event.currentTarget.value })}
          />
          <TextInput
            type="date"
            label={t("audit.to")}
            w={150}
            min={filter.from || undefined}
            value={filter.to}
            onChange={(event) => set({ to: event.currentTarget.value })}
          />
          <Button variant="default" disabled={!filtered} onClick={() => setFilter(everything)}>
            {t("audit.clear")}
          </Button>
        </Group>
      </Paper>
      <TableCard
        query={trail}
        needs="audit"
        columns={[t("audit.when"), t("audit.who"), t("audit.what"), t("audit.outcome"), t("audit.about")]}
        empty={t(filtered ? "audit.noMatch" : "audit.empty")}
        minWidth={980}
      >
        {(trail.data?.pages ?? []).flatMap((page) => page.items).map((item) => (
          <AuditRow key={item.number} item={item} />
        ))}
      </TableCard>
      {trail.hasNextPage && (
        <Center mt="md">
          <Button variant="default" loading={trail.isFetchingNextPage} onClick={() => void trail.fetchNextPage()}>
            {t("audit.more")}
          </Button>
        </Center>
      )}
    </>
  );
}
