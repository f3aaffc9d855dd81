import { Alert, Badge, Button, Code, Group, Paper, Table, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { operationsApi, useNode } from "../../api/operations";
import type { NodeView, PeerView } from "../../api/types";
import { useProblem } from "../../components/access";
import { PageHead } from "../../components/PageHead";
import { TableCard } from "../../components/TableCard";

/** The DICOM node and whom it knows, as the configuration says it. */
export default function PeersPage() {
  const { t } = useTranslation();
  const node = useNode();
  return (
    <>
      <PageHead title={t("nav.peers")} text={t("admin.peers.text")} />
      {node.data && <Own node={node.data} />}
      <TableCard
        query={node}
        needs="operate"
        columns={[t("admin.peers.aeTitle"), t("admin.peers.place"), t("admin.peers.institution"), t("admin.peers.may"), t("admin.peers.by")]}
        empty={t("admin.peers.empty")}
        acts
        minWidth={860}
      >
        {(node.data?.peers ?? []).map((peer) => (
          <Peer key={peer.ae_title} peer={peer} />
        ))}
      </TableCard>
      <Text size="sm" c="dimmed" mt="md">{t("admin.peers.how")}</Text>
      <Code block mt="xs">{'[[peers]]\nae_title = "PACS"\nhost = "pacs.hospital.example"\nport = 104'}</Code>
    </>
  );
}

function Own({ node }: { node: NodeView }) {
  const { t } = useTranslation();
  return (
    <Paper withBorder p="md" mb="md">
      <Group gap="xl">
        <Fact name={t("admin.peers.ownTitle")} value={node.ae_title} />
        <Fact name={t("admin.peers.ownPlace")} value={`${node.dimse}${node.tls ? " · TLS" : ""}`} />
        <Fact name={t("admin.peers.web")} value={`${node.https ? "https" : "http"}://${node.http}`} />
      </Group>
      {node.anybody_may_call && (
        <Alert color="yellow" variant="light" mt="sm" p="xs">{t("admin.peers.anybody")}</Alert>
      )}
    </Paper>
  );
}

export function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <Text size="xs" c="dimmed">{name}</Text>
      <Text fw={600} style={{ wordBreak: "break-all" }}>{value}</Text>
    </div>
  );
}

function Peer({ peer }: { peer: PeerView }) {
  const { t } = useTranslation();
  return (
    <Table.Tr>
      <Table.Td fw={600}>{peer.ae_title}</Table.Td>
      <Table.Td>
        {peer.host}:{peer.port} {peer.tls && <Badge size="sm" variant="light">TLS</Badge>}
      </Table.Td>
      <Table.Td>{peer.institution}</Table.Td>
      <Table.Td>
        <Group gap={4}>
          {peer.allowed.map((service) => (
            <Badge key={service} size="sm" variant="outline" color="gray">{t(`admin.peers.service.${service}`, { defaultValue: service })}</Badge>
          ))}
        </Group>
      </Table.Td>
      <Table.Td>{peer.retrieve_by === "get" ? "C-GET" : "C-MOVE"}</Table.Td>
      <Table.Td ta="right"><EchoTest title={peer.ae_title} /></Table.Td>
    </Table.Tr>
  );
}

/** Asks a peer whether it is there, and says what it said. */
export function EchoTest({ title }: { title: string }) {
  const { t } = useTranslation();
  const problem = useProblem();
  const echo = useMutation({ mutationFn: () => operationsApi.echo(title) });
  return (
    <Group justify="end" gap="xs" wrap="nowrap">
      <Text size="xs" role="status" c={echo.isError ? "red" : "dimmed"} maw={360} ta="right">
        {echo.isSuccess && t("admin.peers.answers", { ms: echo.data.milliseconds.toFixed(0) })}
        {echo.isError && problem(echo.error, "operate")}
      </Text>
      <Button size="xs" variant="default" loading={echo.isPending} aria-label={t("admin.peers.echoOf", { title })} onClick={() => echo.mutate()}>
        {t("admin.peers.echo")}
      </Button>
    </Group>
  );
}
