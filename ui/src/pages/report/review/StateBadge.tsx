import { Badge } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { ReportState } from "../../../api/review";

const colours: Record<ReportState, string> = {
  unsigned: "yellow", after_signature: "orange", signed: "hilum", amended: "gray", superseded: "gray",
};

/** What a version of a report is. */
export function StateBadge({ state }: { state: ReportState }) {
  const { t } = useTranslation();
  return (
    <Badge color={colours[state]} variant="light" autoContrast tt="none" h="auto" py={3} style={{ whiteSpace: "normal" }}>
      {t(`review.state.${state}`)}
    </Badge>
  );
}
