import { Paper, Text, Title, useComputedColorScheme } from "@mantine/core";
import { LineChart } from "echarts/charts";
import { GridComponent, MarkLineComponent, TooltipComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";

import type { SliceRow } from "../../api/types";
import { fonts } from "../../app/theme";
import { scoreText } from "../../components/text";

use([LineChart, GridComponent, MarkLineComponent, TooltipComponent, SVGRenderer]);

/** The score of each slice along the stack, with the threshold; gaps are slices that were not searched. */
export default function SliceScores({ slices, threshold }: { slices: SliceRow[]; threshold: number | null }) {
  const { t } = useTranslation();
  const scheme = useComputedColorScheme("light");
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!box.current) return;
    const chart = init(box.current, scheme === "dark" ? "dark" : undefined, { renderer: "svg" });
    chart.setOption({
      backgroundColor: "transparent",
      textStyle: { fontFamily: fonts },
      animation: false,
      grid: { left: 44, right: 24, top: 16, bottom: 40 },
      tooltip: { trigger: "axis", valueFormatter: (value: unknown) => (typeof value === "number" ? scoreText(value, 3) : "–") },
      xAxis: { type: "category", data: slices.map((slice) => slice.index + 1), name: t("slices.slice"), nameLocation: "middle", nameGap: 26 },
      yAxis: { type: "value", min: 0, max: 1 },
      series: [
        {
          type: "line",
          name: t("slices.score"),
          showSymbol: false,
          connectNulls: false,
          color: "#1f918b",
          areaStyle: { opacity: 0.15 },
          data: slices.map((slice) => slice.score),
          ...(threshold !== null && {
            markLine: {
              silent: true,
              symbol: "none",
              lineStyle: { color: "#e03131", type: "dashed" },
              label: { formatter: t("slices.threshold"), position: "insideEndTop" },
              data: [{ yAxis: threshold }],
            },
          }),
        },
      ],
    });
    const resized = new ResizeObserver(() => chart.resize());
    resized.observe(box.current);
    return () => {
      resized.disconnect();
      chart.dispose();
    };
  }, [slices, threshold, scheme, t]);
  return (
    <Paper withBorder p="md" h="100%">
      <Title order={2} size="h4">{t("slices.title")}</Title>
      <Text size="sm" c="dimmed">
        {t("slices.help")}
      </Text>
      <div ref={box} style={{ height: 230, width: "100%" }} role="img" aria-label={t("slices.title")} />
    </Paper>
  );
}
