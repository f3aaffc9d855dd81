import { ActionIcon, Group, Stack, Text, UnstyledButton } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { KeptMeasurement } from "../../api/viewer";
import { useMoment } from "../../components/access";
import type { Viewer } from "../../viewer/Viewer";

interface Props {
  viewer: Viewer;
  measurements: KeptMeasurement[];
  /** Whether the series of a measurement is the one that is shown. */
  isShown: (measurement: KeptMeasurement) => boolean;
  onRemove: (id: number) => void;
}

/** What was measured in the study's images, by whom. */
export function MeasurementsList({ viewer, measurements, isShown, onRemove }: Props) {
  const { t } = useTranslation();
  const moment = useMoment();
  if (measurements.length === 0) {
    return (
      <Text size="sm" c="dimmed" p="md">
        {t("viewer.measurements.none")}
      </Text>
    );
  }
  return (
    <Stack gap={0} role="list" aria-label={t("viewer.measurements.title")}>
      {measurements.map((one) => {
        const name = t("viewer.measurements.one", { kind: t(`viewer.tool.${one.kind}`), id: one.id });
        const [point] = one.points;
        return (
          <Group key={one.id} role="listitem" px="md" py={6} justify="space-between" wrap="nowrap">
            <UnstyledButton disabled={!isShown(one)} onClick={() => point && viewer.jumpTo(point)}>
              <Text size="sm" fw={600}>
                {name}
              </Text>
              <Text size="xs" c="dimmed">
                {[one.by, moment(one.at), isShown(one) ? null : t("viewer.measurements.elsewhere")].filter(Boolean).join(" · ")}
              </Text>
            </UnstyledButton>
            {one.own && (
              <ActionIcon variant="subtle" color="red" aria-label={t("viewer.measurements.remove", { name })} onClick={() => onRemove(one.id)}>
                ✕
              </ActionIcon>
            )}
          </Group>
        );
      })}
    </Stack>
  );
}
