import { Button, Group, Stack, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import { type Account, accessApi, loginPattern, type RoleAt, roles as allRoles } from "../../api/access";
import { useAct } from "../../api/accessHooks";
import { loadSession, useSession } from "../../app/session";
import { Refusal } from "../../components/Refusal";
import { RolesField } from "../../components/RolesField";
import type { LinkFor } from "./NewLink";
import { useAccountProblem } from "./problem";

interface Props {
  /** The account to change; a new one where there is none. */
  account: Account | null;
  onLink: (link: LinkFor) => void;
  onDone: () => void;
}

export function AccountForm({ account, onLink, onDone }: Props) {
  const { t } = useTranslation();
  const problem = useAccountProblem(account === null);
  const session = useSession();
  const managed = session.institutions.filter(({ permissions }) => permissions.includes("manage"));
  const [login, setLogin] = useState(account?.login ?? "");
  const [name, setName] = useState(account?.name ?? "");
  const [roles, setRoles] = useState<RoleAt[]>(account?.roles ?? []);
  // What a provider's claims give is enough, where somebody gave nothing before.
  const noneLeft = roles.length === 0 && !(account?.roles.length === 0 && account.claimed_roles.length > 0);
  const wrongLogin = login !== "" && !loginPattern.test(login.trim());
  const save = useAct("accounts", async () => {
    const named = name.trim();
    if (account === null) {
      const added = await accessApi.addAccount({ login: login.trim(), name: named, roles });
      return { secret: added.link, name: named, purpose: "invitation" } as const;
    }
    // What was not changed is not sent: somebody else may have to answer for it.
    await accessApi.changeAccount(account.id, {
      ...(named !== account.name && { name: named }),
      ...(roles !== account.roles && { roles }),
    });
    if (account.id === session.account.id) await loadSession();
    return null;
  });

  function submit(event: FormEvent) {
    event.preventDefault();
    save.mutate(undefined, { onSuccess: (link) => (link ? onLink(link) : onDone()) });
  }

  return (
    <form onSubmit={submit}>
      <Refusal text={save.isError ? problem(save.error) : null} />
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
            error={wrongLogin && t("accounts.loginWrong")}
            readOnly={account !== null}
            variant={account ? "filled" : "default"}
            value={login}
            onChange={(event) => setLogin(event.currentTarget.value)}
          />
        </Group>
        <RolesField
          label={t("accounts.roles")}
          description={t("accounts.rolesHelp")}
          error={account !== null && noneLeft && t("accounts.noRoleLeft")}
          choices={managed.map(({ code, name }) => ({ code, name, roles: allRoles }))}
          value={roles}
          onChange={setRoles}
        />
        <Group justify="end">
          <Button variant="default" onClick={onDone}>
            {t("form.cancel")}
          </Button>
          <Button type="submit" loading={save.isPending} disabled={wrongLogin || login === "" || name.trim() === "" || noneLeft}>
            {t(account ? "form.save" : "accounts.addAndInvite")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
