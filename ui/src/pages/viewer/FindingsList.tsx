import { ActionIcon, Button, Group, NativeSelect, Stack, Text, Tooltip, UnstyledButton } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { Stone } from "../../api/types";
import { usePlace } from "../../components/reportText";
import { millimetres, scoreText } from "../../components/text";
import { type Palette, palettes } from "../../viewer/state";
import type { Viewer } from "../../viewer/Viewer";
import { Icon } from "./icons";
import { useViewerState } from "./useViewer";

interface Props {
  viewer: Viewer;
  stones: Stone[];
  onShow: (number: number) => void;
  /** Keeps the mask that was drawn for a finding, or (null) forgets what was drawn. */
  onCorrect: (number: number | null) => void;
  busy: boolean;
}

/** The findings, each a step away in all planes, and each with its own switch. */
export function FindingsList({ viewer, stones, onShow, onCorrect, busy }: Props) {
  const { t } = useTranslation();
  const state = useViewerState(viewer, "stones", "hidden", "rejected", "finding", "palette", "unsaved");
  const place = usePlace();
  const drawn = new Set(state.stones.map(({ number }) => number));
  if (stones.length === 0) {
    return (
      <Text size="sm" c="dimmed" p="md">
        {t("viewer.findings.none")}
      </Text>
    );
  }
  return (
    <Stack gap={0}>
      <Stack gap={0} role="list" aria-label={t("viewer.findings.title")}>
        {stones.map((stone) => {
          const { number } = stone;
          const hidden = state.hidden.has(number);
          return (
            <div key={number} role="listitem" className="finding-line" data-active={state.finding === number}>
              <UnstyledButton flex={1} onClick={() => onShow(number)}>
                <Text size="sm" fw={600} td={state.rejected.has(number) ? "line-through" : undefined}>
                  {number}. {place(stone)}
                </Text>
                <Text size="xs" c="dimmed">
                  {[
                    stone.largest_diameter_mm === null ? null : `${millimetres(stone.largest_diameter_mm)} mm`,
                    t("viewer.findings.hu", { mean: Math.round(stone.hu.mean) }),
                    t("reading.score", { score: scoreText(stone.score) }),
                  ]
                    .filter(Boolean)
                    .join(" · ")}
                </Text>
              </UnstyledButton>
              {state.unsaved.has(number) && (
                <Stack gap={4}>
                  <Button size="compact-xs" loading={busy} onClick={() => onCorrect(number)}>
                    {t("viewer.brush.keep")}
                  </Button>
                  <Button size="compact-xs" variant="default" onClick={() => onCorrect(null)}>
                    {t("viewer.brush.discard")}
                  </Button>
                </Stack>
              )}
              {drawn.has(number) && (
                <Tooltip label={t("viewer.findings.visible", { number })}>
                  <ActionIcon variant="subtle" aria-label={t("viewer.findings.visible", { number })} aria-pressed={!hidden} onClick={() => viewer.toggleFinding(number)}>
                    <Icon name={hidden ? "hidden" : "visible"} />
                  </ActionIcon>
                </Tooltip>
              )}
            </div>
          );
        })}
      </Stack>
      <Group px="md" py="sm">
        <NativeSelect
          size="xs"
          label={t("viewer.palette.title")}
          value={state.palette}
          onChange={({ currentTarget: { value } }) => viewer.setPalette((palettes as readonly string[]).includes(value) ? (value as Palette) : "standard")}
          data={palettes.map((palette) => ({ value: palette, label: t(`viewer.palette.${palette}`) }))}
        />
      </Group>
    </Stack>
  );
}
