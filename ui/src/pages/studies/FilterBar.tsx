import { Button, Chip, Group, Loader, MultiSelect, Popover, Select } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Suspense } from "react";
import { useTranslation } from "react-i18next";

import type { Priority, StonesFound, WorkFilter, Workflow } from "../../api/types";
import { whenOpened } from "../../i18n";
import type { FilterChange } from "./MoreFilters";
import { SavedFilters } from "./SavedFilters";
import type { Typed } from "./typed";
import { countFilters, priorities, stonesFound, workflows } from "./view";

const modalities = ["CT", "MR", "CR", "DX", "US", "MG", "NM", "PT", "XA", "RF", "SR", "SEG"];

const MoreFilters = whenOpened(() => import("./MoreFilters").then((more) => ({ default: more.MoreFilters })));

interface Props {
  filter: WorkFilter;
  onFilter: (filter: WorkFilter) => void;
  typed: Typed;
  filtered: boolean;
  onClear: () => void;
}

/** The day so many days ago, where the reader is. */
function daysAgo(days: number): string {
  const date = new Date();
  date.setDate(date.getDate() - days);
  const two = (number: number) => String(number).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

const spans = { today: 0, week: 6, month: 29 } as const;

/** Which studies are shown. What is chosen stands in the address, names and numbers of patients excepted. */
export function FilterBar({ filter, onFilter, typed, filtered, onClear }: Props) {
  const { t } = useTranslation();
  const [opened, { toggle, close }] = useDisclosure(false);
  const set = (change: FilterChange) => {
    const next = { ...filter, ...change } as Record<string, unknown>;
    for (const [key, value] of Object.entries(next)) {
      if (value === undefined || value === "" || (Array.isArray(value) && value.length === 0)) delete next[key];
    }
    onFilter(next as WorkFilter);
  };
  const span = filter.to ? null : (Object.entries(spans).find(([, days]) => filter.from === daysAgo(days))?.[0] ?? null);
  const inside = countFilters({
    ...(filter.description && { description: filter.description }),
    ...(filter.body_part && { body_part: filter.body_part }),
    ...(filter.contrast != null && { contrast: filter.contrast }),
    ...(span === null && filter.from && { from: filter.from }),
    ...(filter.to && { to: filter.to }),
  }) + (typed.name.trim() ? 1 : 0) + (typed.patientId.trim() ? 1 : 0);
  return (
    <Group gap="xs" mb="sm" component="search" aria-label={t("worklist.filters")}>
      <Chip.Group multiple value={filter.workflow ?? []} onChange={(workflow) => set({ workflow: workflow as Workflow[] })}>
        <Group gap={4}>
          {workflows.map((state) => (
            <Chip key={state} value={state} size="xs">{t(`worklist.state.${state}`)}</Chip>
          ))}
        </Group>
      </Chip.Group>
      <Chip.Group multiple value={filter.priority ?? []} onChange={(priority) => set({ priority: priority as Priority[] })}>
        <Group gap={4}>
          {priorities.filter((priority) => priority !== "routine").map((priority) => (
            <Chip key={priority} value={priority} size="xs" color="red">{t(`worklist.priority.${priority}`)}</Chip>
          ))}
        </Group>
      </Chip.Group>
      <Select
        size="xs"
        w={150}
        aria-label={t("worklist.stones.title")}
        placeholder={t("worklist.stones.title")}
        clearable
        value={filter.stones?.[0] ?? null}
        data={stonesFound.map((value) => ({ value, label: t(`worklist.stones.${value}`) }))}
        onChange={(value) => set({ stones: value ? [value as StonesFound] : undefined })}
      />
      <Select
        size="xs"
        w={140}
        aria-label={t("worklist.dates.title")}
        placeholder={t("worklist.dates.title")}
        clearable
        value={span}
        data={Object.keys(spans).map((value) => ({ value, label: t(`worklist.dates.${value}`) }))}
        onChange={(value) => set({ from: value ? daysAgo(spans[value as keyof typeof spans]) : undefined, to: undefined })}
      />
      <MultiSelect
        size="xs"
        w={190}
        aria-label={t("worklist.column.modality")}
        placeholder={filter.modality?.length ? "" : t("worklist.column.modality")}
        data={modalities}
        value={filter.modality ?? []}
        onChange={(modality) => set({ modality })}
        searchable
        clearable
        maxValues={20}
      />
      <Popover opened={opened} onChange={(now) => !now && close()} position="bottom-start" width={320} trapFocus withinPortal>
        <Popover.Target>
          <Button size="xs" variant="default" onClick={toggle}>
            {t("worklist.moreFilters")}
            {inside > 0 && ` (${inside})`}
          </Button>
        </Popover.Target>
        <Popover.Dropdown>
          <Suspense fallback={<Loader size="sm" />}>
            <MoreFilters filter={filter} onSet={set} typed={typed} />
          </Suspense>
        </Popover.Dropdown>
      </Popover>
      <SavedFilters filter={filter} onFilter={onFilter} />
      {filtered && (
        <Button size="xs" variant="subtle" onClick={onClear}>
          {t("audit.clear")}
        </Button>
      )}
    </Group>
  );
}
