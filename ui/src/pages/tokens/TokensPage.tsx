import { Badge, Button, Group, Stack, Table, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { accessApi, type ApiToken } from "../../api/access";
import { useAct, useTokens } from "../../api/accessHooks";
import { useSession } from "../../app/session";
import { useMoment, useProblem } from "../../components/access";
import { Dialog } from "../../components/Dialog";
import { PageHead } from "../../components/PageHead";
import { RoleBadges } from "../../components/RoleBadges";
import { TableCard } from "../../components/TableCard";
import { TokenForm } from "./TokenForm";

export function TokensPage() {
  const { t } = useTranslation();
  const tokens = useTokens();
  const [adding, { open, close }] = useDisclosure(false);
  const [revoking, setRevoking] = useState<ApiToken | null>(null);
  return (
    <>
      <PageHead title={t("tokens.title")} text={t("tokens.text")}>
        <Button onClick={open}>{t("tokens.add")}</Button>
      </PageHead>
      <TableCard
        query={tokens}
        columns={[t("tokens.name"), t("accounts.roles"), t("tokens.created"), t("tokens.expires"), t("tokens.used")]}
        acts
        empty={t("tokens.empty")}
        minWidth={860}
      >
        {(tokens.data ?? []).map((token) => (
          <TokenRow key={token.id} token={token} onRevoke={() => setRevoking(token)} />
        ))}
      </TableCard>
      <Dialog opened={adding} onClose={close} title={t("tokens.add")} size="lg">
        <TokenForm onDone={close} />
      </Dialog>
      <Dialog opened={revoking !== null} onClose={() => setRevoking(null)} title={t("tokens.revoke")}>
        {revoking && <RevokeForm token={revoking} onDone={() => setRevoking(null)} />}
      </Dialog>
    </>
  );
}

function TokenRow({ token, onRevoke }: { token: ApiToken; onRevoke: () => void }) {
  const { t } = useTranslation();
  const moment = useMoment();
  const names = new Map(useSession().institutions.map(({ code, name }) => [code, name]));
  return (
    <Table.Tr>
      <Table.Td fw={600}>{token.name}</Table.Td>
      <Table.Td>
        <RoleBadges value={token.roles} names={names} />
      </Table.Td>
      <Table.Td fz="sm">{moment(token.created_at)}</Table.Td>
      <Table.Td fz="sm">
        {Date.parse(token.expires_at) > Date.now() ? (
          moment(token.expires_at)
        ) : (
          <Badge color="gray" variant="light">
            {t("tokens.expired")}
          </Badge>
        )}
      </Table.Td>
      <Table.Td fz="sm">{token.last_used_at ? moment(token.last_used_at) : t("tokens.neverUsed")}</Table.Td>
      <Table.Td ta="right">
        <Button variant="default" size="xs" onClick={onRevoke} aria-label={t("tokens.revokeOne", { name: token.name })}>
          {t("tokens.revoke")}
        </Button>
      </Table.Td>
    </Table.Tr>
  );
}

function RevokeForm({ token, onDone }: { token: ApiToken; onDone: () => void }) {
  const { t } = useTranslation();
  const problem = useProblem();
  const revoke = useAct("tokens", () => accessApi.revokeToken(token.id));
  return (
    <Stack>
      <Text size="sm">{t("tokens.revokeHelp", { name: token.name })}</Text>
      {revoke.isError && (
        <Text size="sm" c="red" role="alert">
          {problem(revoke.error)}
        </Text>
      )}
      <Group justify="end">
        <Button variant="default" data-autofocus onClick={onDone}>
          {t("form.cancel")}
        </Button>
        <Button color="red" loading={revoke.isPending} onClick={() => revoke.mutate(undefined, { onSuccess: onDone })}>
          {t("tokens.revoke")}
        </Button>
      </Group>
    </Stack>
  );
}
