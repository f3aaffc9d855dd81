import { ActionIcon, Button, Group, Menu, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import type { WorkFilter } from "../../api/types";
import { useProblem } from "../../components/access";
import { Refusal } from "../../components/Refusal";
import { countFilters } from "./view";
import { useFilterActs, useFilters } from "./useWorklist";

/** Filters that the account keeps under names of its own. Texts that name a patient are never among them. */
export function SavedFilters({ filter, onFilter }: { filter: WorkFilter; onFilter: (filter: WorkFilter) => void }) {
  const { t } = useTranslation();
  const problem = useProblem();
  const filters = useFilters();
  const { save, remove } = useFilterActs();
  const [name, setName] = useState("");
  const kept = filters.data ?? [];
  const empty = countFilters(filter) === 0;

  function keep(event: FormEvent) {
    event.preventDefault();
    if (name.trim() === "" || empty) return;
    save.mutate({ name: name.trim(), filter }, { onSuccess: () => setName("") });
  }

  return (
    <Menu width={300} position="bottom-start" withinPortal closeOnItemClick={false} trapFocus>
      <Menu.Target>
        <Button size="xs" variant="default">
          {t("worklist.saved.title", { count: kept.length })}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {kept.map((one) => (
          <Group key={one.id} gap={4} wrap="nowrap">
            <Menu.Item flex={1} onClick={() => onFilter(one.filter)}>
              {one.name}
            </Menu.Item>
            <ActionIcon
              variant="subtle"
              color="gray"
              aria-label={t("worklist.saved.remove", { name: one.name })}
              onClick={() => remove.mutate(one.id)}
            >
              ×
            </ActionIcon>
          </Group>
        ))}
        {kept.length === 0 && <Menu.Label>{t("worklist.saved.empty")}</Menu.Label>}
        <Menu.Divider />
        <form onSubmit={keep}>
          <Refusal text={save.isError ? problem(save.error, "view") : null} />
          <Group gap={6} p={6} wrap="nowrap" align="end">
            <TextInput
              size="xs"
              flex={1}
              label={t("worklist.saved.name")}
              description={empty ? t("worklist.saved.nothing") : t("worklist.notInAddress")}
              value={name}
              maxLength={60}
              onChange={(event) => setName(event.currentTarget.value)}
            />
            <Button size="xs" type="submit" loading={save.isPending} disabled={empty || name.trim() === ""}>
              {t("worklist.saved.keep")}
            </Button>
          </Group>
        </form>
      </Menu.Dropdown>
    </Menu>
  );
}
