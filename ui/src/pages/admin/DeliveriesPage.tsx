import { Anchor, Button, Text, Tooltip } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { useOutgoing } from "../../api/operations";
import type { DeliveryState, DeliveryView } from "../../api/types";
import { OutgoingPage, useAsked } from "./OutgoingPage";

const colours: Record<DeliveryState, string> = { waiting: "blue", delivered: "hilum", superseded: "gray" };

/** Which versions of reports go to which medical records. */
export default function DeliveriesPage() {
  const { t } = useTranslation();
  const { state, destination, ask } = useAsked(colours);
  const deliveries = useOutgoing<DeliveryView>("deliveries", { state, destination });
  return (
    <OutgoingPage
      kind="deliveries"
      colours={colours}
      query={deliveries}
      to={{
        title: t("admin.deliveries.record"),
        cell: (one) => (
          <>
            <Tooltip label={t("admin.deliveries.only", { destination: one.destination })}>
              <Anchor component="button" type="button" size="sm" fw={600} onClick={() => ask("destination", one.destination)}>{one.destination}</Anchor>
            </Tooltip>
            {one.control_id && <Text size="xs" c="dimmed" ff="monospace" fw={400}>{one.control_id}</Text>}
          </>
        ),
      }}
      empty={
        <>
          {t("admin.deliveries.empty")}{" "}
          <Anchor component={Link} to="/help/administration" td="underline">{t("admin.deliveries.how")}</Anchor>
        </>
      }
    >
      {destination && (
        <Button size="xs" mb="md" variant="light" rightSection="×" onClick={() => ask("destination", "")}>
          {t("admin.deliveries.onlyTo", { destination })}
        </Button>
      )}
    </OutgoingPage>
  );
}
