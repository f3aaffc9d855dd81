import { Alert, Button, Group, Stack, Table, Text } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { accessApi, type Identity, type OpenIdProvider } from "../../api/access";
import { useAct, useIdentities, useProviders } from "../../api/accessHooks";
import { ApiError } from "../../api/http";
import { useMoment, useProblem } from "../../components/access";
import { Dialog } from "../../components/Dialog";
import { PageHead } from "../../components/PageHead";
import { Refusal } from "../../components/Refusal";
import { TableCard } from "../../components/TableCard";
import { useComeBack } from "../sign-in/useComeBack";

/** The identities at OpenID providers that one signs in by, and the ways to link one. */
export function IdentitiesPage() {
  const { t } = useTranslation();
  const identities = useIdentities();
  const providers = useProviders().data ?? [];
  const { linked, refusal } = useComeBack();
  const [unlinking, setUnlinking] = useState<Identity | null>(null);
  const nameOf = (issuer: string) => providers.find((one) => one.issuer === issuer)?.name ?? issuer;
  return (
    <>
      <PageHead title={t("identities.title")} text={t("identities.text")}>
        <Group gap="xs">
          {providers.map((provider) => (
            <LinkButton key={provider.id} provider={provider} />
          ))}
        </Group>
      </PageHead>
      <Refusal text={refusal} />
      {linked && (
        <Alert color="hilum" variant="light" mb="md" role="status">
          {t("identities.linked")}
        </Alert>
      )}
      <TableCard
        query={identities}
        columns={[t("identities.provider"), t("identities.subject"), t("identities.since"), t("tokens.used")]}
        acts
        empty={t("identities.empty")}
        minWidth={720}
      >
        {(identities.data ?? []).map((identity) => (
          <IdentityRow
            key={identity.id}
            identity={identity}
            name={nameOf(identity.issuer)}
            onUnlink={() => setUnlinking(identity)}
          />
        ))}
      </TableCard>
      <Dialog opened={unlinking !== null} onClose={() => setUnlinking(null)} title={t("identities.unlink")}>
        {unlinking && (
          <UnlinkForm identity={unlinking} name={nameOf(unlinking.issuer)} onDone={() => setUnlinking(null)} />
        )}
      </Dialog>
    </>
  );
}

function LinkButton({ provider }: { provider: OpenIdProvider }) {
  const { t } = useTranslation();
  const problem = useProblem();
  const link = useAct("identities", () => accessApi.linkIdentity(provider.id));
  return (
    <Stack gap={4}>
      <Button
        loading={link.isPending || link.isSuccess}
        onClick={() => link.mutate(undefined, { onSuccess: ({ location }) => window.location.assign(location) })}
      >
        {t("identities.link", { name: provider.name })}
      </Button>
      {link.isError && (
        <Text size="sm" c="red" role="alert">
          {problem(link.error)}
        </Text>
      )}
    </Stack>
  );
}

function IdentityRow({ identity, name, onUnlink }: { identity: Identity; name: string; onUnlink: () => void }) {
  const { t } = useTranslation();
  const moment = useMoment();
  return (
    <Table.Tr>
      <Table.Td fw={600}>{name}</Table.Td>
      <Table.Td fz="sm" style={{ overflowWrap: "anywhere" }}>
        {identity.subject}
      </Table.Td>
      <Table.Td fz="sm">{moment(identity.linked_at)}</Table.Td>
      <Table.Td fz="sm">{identity.last_used_at ? moment(identity.last_used_at) : t("tokens.neverUsed")}</Table.Td>
      <Table.Td ta="right">
        <Button variant="default" size="xs" onClick={onUnlink} aria-label={t("identities.unlinkOne", { name })}>
          {t("identities.unlink")}
        </Button>
      </Table.Td>
    </Table.Tr>
  );
}

function UnlinkForm({ identity, name, onDone }: { identity: Identity; name: string; onDone: () => void }) {
  const { t } = useTranslation();
  const problem = useProblem();
  const unlink = useAct("identities", () => accessApi.unlinkIdentity(identity.id));
  const lastWay = unlink.error instanceof ApiError && unlink.error.code === "conflict";
  return (
    <Stack>
      <Text size="sm">{t("identities.unlinkHelp", { name })}</Text>
      {unlink.isError && (
        <Text size="sm" c="red" role="alert">
          {lastWay ? t("identities.lastWay") : problem(unlink.error)}
        </Text>
      )}
      <Group justify="end">
        <Button variant="default" data-autofocus onClick={onDone}>
          {t("form.cancel")}
        </Button>
        <Button color="red" loading={unlink.isPending} onClick={() => unlink.mutate(undefined, { onSuccess: onDone })}>
          {t("identities.unlink")}
        </Button>
      </Group>
    </Stack>
  );
}
