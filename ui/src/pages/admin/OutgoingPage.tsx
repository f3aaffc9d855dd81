import { Badge, Button, Center, SegmentedControl, Table, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { type Outgoing, type useOutgoing, useRetry } from "../../api/operations";
import { useAddress } from "../../app/useAddress";
import { useMoment, useProblem } from "../../components/access";
import { PageHead } from "../../components/PageHead";
import { TableCard } from "../../components/TableCard";
import { StudyLink } from "./JobsPage";

/** What every row of what goes out says. */
interface Row<State extends string> {
  id: number;
  study_uid: string;
  /** Of the report, where one goes. */
  version?: number;
  state: State;
  tries: number;
  next_try_at: string;
  updated_at: string;
  reason: string | null;
}

interface Props<State extends string, One extends Row<State>> {
  kind: Outgoing;
  /** Its states in their order, with their colours. */
  colours: Record<State, string>;
  query: ReturnType<typeof useOutgoing<One>>;
  /** Where a row goes. */
  to: { title: string; cell: (one: One) => ReactNode };
  /** What to say where nothing goes out at all. */
  empty: ReactNode;
  /** Beside the states. */
  children?: ReactNode;
}

/** Which rows the address asks for, and the act that asks for others. */
export function useAsked<State extends string>(colours: Record<State, string>) {
  const [address, change] = useAddress();
  const state: State | "" = (Object.keys(colours) as State[]).find((one) => one === address.get("state")) ?? "";
  const ask = (key: "state" | "destination", value: string) =>
    change((address) => {
      if (value) address.set(key, value);
      else address.delete(key);
      return address;
    });
  return { state, destination: address.get("destination") ?? "", ask };
}

/** What goes out to others by itself: how far it is, why it does not go, and once more for all of it. */
export function OutgoingPage<State extends string, One extends Row<State>>({ kind, colours, query, to, empty, children }: Props<State, One>) {
  const { t } = useTranslation();
  const moment = useMoment();
  const problem = useProblem();
  const { state, destination, ask } = useAsked(colours);
  const retry = useRetry(kind);
  const again = () =>
    retry.mutate(undefined, {
      onSuccess: ({ due }) => notifications.show({ color: "hilum", message: t(`admin.${kind}.due`, { count: due }) }),
      onError: (error) => notifications.show({ color: "red", message: problem(error, "operate") }),
    });
  return (
    <>
      <PageHead title={t(`nav.${kind}`)} text={t(`admin.${kind}.text`)}>
        <Button variant="default" loading={retry.isPending} onClick={again}>{t("admin.outgoing.retry")}</Button>
      </PageHead>
      <SegmentedControl
        mb="md"
        mr="md"
        size="xs"
        aria-label={t("admin.state")}
        value={state}
        onChange={(value) => ask("state", value)}
        data={[{ value: "", label: t("admin.outgoing.all") }, ...Object.keys(colours).map((value) => ({ value, label: t(`admin.${kind}.${value}`) }))]}
      />
      {children}
      <TableCard
        query={query}
        needs="operate"
        columns={[to.title, t("admin.study"), t("admin.state"), t("admin.outgoing.tries"), t("admin.outgoing.next"), t("admin.jobs.why")]}
        empty={state || destination ? t("admin.outgoing.none") : empty}
        minWidth={900}
      >
        {(query.data?.pages ?? []).flatMap((page) => page.items).map((one) => (
          <Table.Tr key={one.id}>
            <Table.Td fw={600}>{to.cell(one)}</Table.Td>
            <Table.Td>
              <StudyLink uid={one.study_uid} {...(one.version !== undefined && { version: one.version })} />
            </Table.Td>
            <Table.Td><Badge variant="light" miw="max-content" color={colours[one.state]}>{t(`admin.${kind}.${one.state}`)}</Badge></Table.Td>
            <Table.Td>{one.tries}</Table.Td>
            <Table.Td><Text size="xs" c="dimmed">{one.state === "waiting" ? moment(one.next_try_at) : moment(one.updated_at)}</Text></Table.Td>
            <Table.Td><Text size="xs">{one.reason ?? ""}</Text></Table.Td>
          </Table.Tr>
        ))}
      </TableCard>
      {query.hasNextPage && (
        <Center mt="md">
          <Button variant="default" loading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
            {t("admin.outgoing.more")}
          </Button>
        </Center>
      )}
    </>
  );
}
