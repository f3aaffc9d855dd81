import { Badge, Button, Center, Group, SegmentedControl, Table, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";

import { useForwards, useRetryForwards } from "../../api/operations";
import type { ForwardState } from "../../api/types";
import { useMoment, useProblem } from "../../components/access";
import { PageHead } from "../../components/PageHead";
import { TableCard } from "../../components/TableCard";
import { StudyLink } from "./JobsPage";

const states: readonly ForwardState[] = ["waiting", "failed", "sent"];
const colours: Record<ForwardState, string> = { waiting: "blue", failed: "red", sent: "hilum" };

/** What goes on to peers, by rules and as results. */
export default function ForwardsPage() {
  const { t } = useTranslation();
  const moment = useMoment();
  const problem = useProblem();
  const [address, setAddress] = useSearchParams();
  const state = states.find((one) => one === address.get("state")) ?? "";
  const forwards = useForwards(state);
  const retry = useRetryForwards();
  const again = () =>
    retry.mutate(undefined, {
      onSuccess: ({ due }) => notifications.show({ color: "hilum", message: t("admin.forwards.due", { count: due }) }),
      onError: (error) => notifications.show({ color: "red", message: problem(error, "operate") }),
    });
  return (
    <>
      <PageHead title={t("nav.forwards")} text={t("admin.forwards.text")}>
        <Button variant="default" loading={retry.isPending} onClick={again}>{t("admin.forwards.retry")}</Button>
      </PageHead>
      <SegmentedControl
        mb="md"
        size="xs"
        aria-label={t("admin.state")}
        value={state}
        onChange={(value) => setAddress(value ? { state: value } : {}, { replace: true })}
        data={[{ value: "", label: t("admin.forwards.all") }, ...states.map((value) => ({ value, label: t(`admin.forwards.${value}`) }))]}
      />
      <TableCard
        query={forwards}
        needs="operate"
        columns={[t("admin.peer"), t("admin.study"), t("admin.state"), t("admin.forwards.tries"), t("admin.forwards.next"), t("admin.jobs.why")]}
        empty={t("admin.forwards.empty")}
        minWidth={900}
      >
        {(forwards.data?.pages ?? []).flatMap((page) => page.items).map((one) => (
          <Table.Tr key={one.id}>
            <Table.Td fw={600}>{one.peer}</Table.Td>
            <Table.Td>
              <StudyLink uid={one.study_uid} />
            </Table.Td>
            <Table.Td><Badge variant="light" color={colours[one.state]}>{t(`admin.forwards.${one.state}`)}</Badge></Table.Td>
            <Table.Td>{one.tries}</Table.Td>
            <Table.Td><Text size="xs" c="dimmed">{one.state === "waiting" ? moment(one.next_try_at) : moment(one.updated_at)}</Text></Table.Td>
            <Table.Td><Text size="xs">{one.reason ?? ""}</Text></Table.Td>
          </Table.Tr>
        ))}
      </TableCard>
      {forwards.hasNextPage && (
        <Center mt="md">
          <Group>
            <Button variant="default" loading={forwards.isFetchingNextPage} onClick={() => void forwards.fetchNextPage()}>
              {t("audit.more")}
            </Button>
          </Group>
        </Center>
      )}
    </>
  );
}
