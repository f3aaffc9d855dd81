import { useTranslation } from "react-i18next";

import { useOutgoing } from "../../api/operations";
import type { ForwardState, ForwardView } from "../../api/types";
import { OutgoingPage, useAsked } from "./OutgoingPage";

const colours: Record<ForwardState, string> = { waiting: "blue", failed: "red", sent: "hilum" };

/** What goes on to peers, by rules and as results. */
export default function ForwardsPage() {
  const { t } = useTranslation();
  const { state } = useAsked(colours);
  const forwards = useOutgoing<ForwardView>("forwards", { state });
  return (
    <OutgoingPage kind="forwards" colours={colours} query={forwards} to={{ title: t("admin.peer"), cell: ({ peer }) => peer }} empty={t("admin.forwards.empty")} />
  );
}
