import { Button, Group, Stack, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import { type Account, accessApi, type Institution, type RoleAt, roles as allRoles } from "../../api/access";
import { useAct } from "../../api/accessHooks";
import { loadSession, useSession } from "../../app/session";
import { useProblem } from "../../components/access";
import { Refusal } from "../../components/Refusal";
import { RolesField } from "../../components/RolesField";
import type { LinkFor } from "./NewLink";

interface Props {
  /** The account to change; a new one where there is none. */
  account: Account | null;
  institutions: Institution[];
  onLink: (link: LinkFor) => void;
  onDone: () => void;
}

export function AccountForm({ account, institutions, onLink, onDone }: Props) {
  const { t } = useTranslation();
  const problem = useProblem();
  const own = useSession().account.id;
  const [login, setLogin] = useState(account?.login ?? "");
  const [name, setName] = useState(account?.name ?? "");
  const [roles, setRoles] = useState<RoleAt[]>(account?.roles ?? []);
  const save = useAct("accounts", async () => {
    const values = { name: name.trim(), roles };
    if (account === null) {
      const added = await accessApi.addAccount({ login: login.trim(), ...values });
      return { secret: added.link, name: values.name, purpose: "invitation" } as const;
    }
    await accessApi.changeAccount(account.id, values);
    if (account.id === own) await loadSession();
    return null;
  });

  function submit(event: FormEvent) {
    event.preventDefault();
    save.mutate(undefined, { onSuccess: (link) => (link ? onLink(link) : onDone()) });
  }

  return (
    <form onSubmit={submit}>
      <Refusal text={save.isError ? problem(save.error, "manage") : null} />
      <Stack>
        <Group grow align="start">
          <TextInput
            label={t("accounts.name")}
            required
            withAsterisk={false}
            data-autofocus
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <TextInput
            label={t("signIn.login")}
            inputWrapperOrder={["label", "input", "description", "error"]}
            description={account ? t("accounts.loginStays") : t("accounts.loginHelp")}
            required
            withAsterisk={false}
            autoCapitalize="none"
            spellCheck={false}
            readOnly={account !== null}
            variant={account ? "filled" : "default"}
            value={login}
            onChange={(event) => setLogin(event.currentTarget.value)}
          />
        </Group>
        <RolesField
          label={t("accounts.roles")}
          description={t("accounts.rolesHelp")}
          choices={institutions.map((institution) => ({ ...institution, roles: allRoles }))}
          value={roles}
          onChange={setRoles}
        />
        <Group justify="end">
          <Button variant="default" onClick={onDone}>
            {t("form.cancel")}
          </Button>
          <Button type="submit" loading={save.isPending} disabled={login.trim() === "" || name.trim() === ""}>
            {t(account ? "form.save" : "accounts.addAndInvite")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
