import { Anchor, Badge, Stack, Text, UnstyledButton } from "@mantine/core";
import { memo } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import type { SeriesSummary } from "../../api/types";
import { viewerApi } from "../../api/viewer";

interface Props {
  studyUid: string;
  series: SeriesSummary[];
  shown: string | null;
  onShow: (seriesUid: string) => void;
}

/** The series of a study that can be looked at. */
export const SeriesStrip = memo(function SeriesStrip({ studyUid, series, shown, onShow }: Props) {
  const { t } = useTranslation();
  return (
    <nav className="viewer-strip" aria-label={t("viewer.series")}>
      <Stack gap={8}>
        {series.map((one) => (
          <UnstyledButton
            key={one.series_uid}
            className="series-tile"
            aria-pressed={shown === one.series_uid}
            onClick={() => onShow(one.series_uid)}
          >
            <img src={viewerApi.thumbnailAddress(studyUid, one.series_uid)} alt="" loading="lazy" />
            <Text size="xs" fw={600} lineClamp={2} mt={4}>
              {one.description || t("viewer.unnamedSeries", { number: one.number ?? "?" })}
            </Text>
            <Text size="xs" c="dimmed">
              {t("viewer.seriesImages", { modality: one.modality, count: one.slices })}
            </Text>
            {one.chosen && (
              <Badge size="xs" variant="light">
                {t("viewer.chosen")}
              </Badge>
            )}
          </UnstyledButton>
        ))}
        <Anchor component={Link} to="/files" size="xs">
          {t("upload.without")}
        </Anchor>
      </Stack>
    </nav>
  );
});
