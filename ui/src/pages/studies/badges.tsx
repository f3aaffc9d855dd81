import { Badge } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { Priority, Workflow } from "../../api/types";

const urgent = { stat: { color: "red", variant: "filled" }, high: { color: "orange", variant: "light" } } as const;

/** How urgent: in words, for colour never carries a meaning alone. Routine is the rule and says nothing. */
export function PriorityBadge({ priority }: { priority: Priority }) {
  const { t } = useTranslation();
  if (priority === "routine") return <span className="quiet">{t("worklist.priority.routine")}</span>;
  return (
    <Badge size="sm" {...urgent[priority]}>
      {t(`worklist.priority.${priority}`)}
    </Badge>
  );
}

const far = { unread: "gray", in_review: "blue", signed: "hilum" } as const;

/** How far a physician is with it. */
export function WorkflowBadge({ workflow }: { workflow: Workflow }) {
  const { t } = useTranslation();
  return (
    <Badge size="sm" variant={workflow === "unread" ? "outline" : "light"} color={far[workflow]}>
      {t(`worklist.state.${workflow}`)}
    </Badge>
  );
}
