import { Group, Select, Stack, TagsInput, TextInput } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { WorkFilter } from "../../api/types";
import { setTyped, type Typed } from "./typed";

const bodyParts = ["ABDOMEN", "ABDOMENPELVIS", "PELVIS", "KIDNEY", "CHEST", "HEAD", "NECK", "BRAIN", "SPINE", "CHESTABDPELVIS"];

/** What is set anew; what is undefined or empty is set no more. */
export type FilterChange = { [K in keyof WorkFilter]?: WorkFilter[K] | undefined };

interface Props {
  filter: WorkFilter;
  onSet: (change: FilterChange) => void;
  typed: Typed;
}

/** The filters that are wanted less often. */
export function MoreFilters({ filter, onSet, typed }: Props) {
  const { t } = useTranslation();
  return (
    <Stack gap="xs">
      <TextInput
        size="xs"
        label={t("worklist.name")}
        description={t("worklist.notInAddress")}
        value={typed.name}
        maxLength={200}
        onChange={(event) => setTyped({ name: event.currentTarget.value })}
      />
      <TextInput
        size="xs"
        label={t("worklist.column.patientId")}
        value={typed.patientId}
        maxLength={200}
        onChange={(event) => setTyped({ patientId: event.currentTarget.value })}
      />
      <TextInput
        size="xs"
        label={t("worklist.column.description")}
        value={filter.description ?? ""}
        maxLength={200}
        onChange={(event) => onSet({ description: event.currentTarget.value })}
      />
      <Group grow gap="xs">
        <TextInput
          size="xs"
          type="date"
          label={t("audit.from")}
          max={filter.to ?? undefined}
          value={filter.from ?? ""}
          onChange={(event) => onSet({ from: event.currentTarget.value })}
        />
        <TextInput
          size="xs"
          type="date"
          label={t("audit.to")}
          min={filter.from ?? undefined}
          value={filter.to ?? ""}
          onChange={(event) => onSet({ to: event.currentTarget.value })}
        />
      </Group>
      <TagsInput
        size="xs"
        label={t("worklist.bodyPart")}
        description={t("worklist.bodyPartHelp")}
        data={bodyParts}
        value={filter.body_part ?? []}
        onChange={(body_part) => onSet({ body_part: body_part.map((part) => part.replaceAll(",", " ").toUpperCase()) })}
        maxTags={20}
      />
      <Select
        size="xs"
        label={t("worklist.contrast.title")}
        clearable
        value={filter.contrast == null ? null : filter.contrast ? "yes" : "no"}
        data={["yes", "no"].map((value) => ({ value, label: t(`worklist.contrast.${value}`) }))}
        onChange={(value) => onSet({ contrast: value === null ? undefined : value === "yes" })}
      />
    </Stack>
  );
}
