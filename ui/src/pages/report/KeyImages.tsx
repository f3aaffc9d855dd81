import { Card, Modal, SimpleGrid, Stack, Text, UnstyledButton } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api } from "../../api/client";
import type { Plane, Stone, UrinaryStoneReport } from "../../api/types";
import { usePlace } from "../../components/reportText";
import { millimetres } from "../../components/text";

/** Stones, in the order of the report, that have all three planes (IN_THREE_PLANES of the engine). */
const inThreePlanes = 24;

/** One image per stone, with red mask and green box; a click enlarges, arrow keys step through. */
export function KeyImages({ studyUid, report }: { studyUid: string; report: UrinaryStoneReport }) {
  const { t } = useTranslation();
  const [shown, setShown] = useState<number | null>(null);
  const stones = report.stones;
  const step = (by: number) => setShown((at) => (at === null ? at : (at + by + stones.length) % stones.length));
  useHotkeys([
    ["ArrowRight", () => step(1)],
    ["ArrowLeft", () => step(-1)],
  ]);
  const place = usePlace();
  const caption = (stone: Stone) =>
    [
      place(stone),
      stone.largest_diameter_mm == null ? null : `${millimetres(stone.largest_diameter_mm)} mm`,
    ]
      .filter(Boolean)
      .join(" · ");
  const image = (stone: Stone, plane: Plane) => (
    <img
      key={plane}
      className="key-image"
      loading="lazy"
      src={api.keyImageAddress(studyUid, stone.number, report.version, plane)}
      alt={
        plane === "axial"
          ? t("keyImages.alt", { number: stone.number, slice: stone.slices.key + 1 })
          : t("keyImages.altPlane", { number: stone.number, plane: t(`plane.${plane}`) })
      }
    />
  );
  // Older reports and stones beyond the first have the slice alone.
  const planes = (stone: Stone): Plane[] =>
    (report.options?.stones.length ?? 0) > 0 && stone.number <= inThreePlanes ? ["axial", "coronal", "sagittal"] : ["axial"];
  const current = shown === null ? undefined : stones[shown];
  return (
    <>
      <SimpleGrid cols={{ base: 1, xs: 2, md: 4 }}>
        {stones.map((stone, index) => (
          <Card key={stone.number} withBorder padding={0}>
            <UnstyledButton onClick={() => setShown(index)} aria-label={t("keyImages.enlarge", { number: stone.number })}>
              {image(stone, "axial")}
            </UnstyledButton>
            <Text size="sm" fw={600} px="sm" pt="xs">
              {t("keyImages.stone", { number: stone.number })}
            </Text>
            <Text size="xs" c="dimmed" px="sm" pb="xs">
              {caption(stone)}
            </Text>
          </Card>
        ))}
      </SimpleGrid>
      <Modal
        opened={current !== undefined}
        onClose={() => setShown(null)}
        size="xl"
        closeButtonProps={{ "aria-label": t("form.close") }}
        title={current && `${t("keyImages.stone", { number: current.number })} · ${caption(current)}`}
      >
        {current && (
          <Stack gap="xs">
            {planes(current).map((plane) => (
              <figure key={plane} className="key-plane">
                {image(current, plane)}
                <Text component="figcaption" size="xs" c="dimmed">
                  {t(`plane.${plane}`)}
                </Text>
              </figure>
            ))}
          </Stack>
        )}
      </Modal>
    </>
  );
}
