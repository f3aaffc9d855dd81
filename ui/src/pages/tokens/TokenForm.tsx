import { Button, Code, Group, NativeSelect, Stack, Text, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import { accessApi, type RoleAt } from "../../api/access";
import { useAct } from "../../api/accessHooks";
import { useSession } from "../../app/session";
import { inOrder, useProblem } from "../../components/access";
import { CodeField } from "../../components/CodeField";
import { Refusal } from "../../components/Refusal";
import { RolesField } from "../../components/RolesField";
import { SecretShown } from "../../components/SecretShown";

const lifetimes = [7, 30, 90, 365];

/** A new token of one's own, with no more than one's own roles; then the token itself, this once. */
export function TokenForm({ onDone }: { onDone: () => void }) {
  const { t } = useTranslation();
  const problem = useProblem();
  const { institutions, second_factor: factor } = useSession();
  const [code, setCode] = useState("");
  const [name, setName] = useState("");
  const [days, setDays] = useState(30);
  const [roles, setRoles] = useState<RoleAt[]>([]);
  const add = useAct("tokens", accessApi.addToken);

  if (add.isSuccess) {
    return (
      <Stack>
        <Text size="sm">{t("tokens.shown")}</Text>
        <SecretShown label={t("tokens.token")} secret={add.data.token} />
        <Text size="sm">{t("tokens.usage")}</Text>
        <Code block>{`curl -H "Authorization: Bearer $TOKEN" ${window.location.origin}/dicom-web/studies`}</Code>
        <Group justify="end">
          <Button onClick={onDone}>{t("form.done")}</Button>
        </Group>
      </Stack>
    );
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    if (name.trim() === "" || roles.length === 0) return;
    add.mutate({ name: name.trim(), days, roles, ...(factor.enrolled && { code }) }, { onError: () => setCode("") });
  }

  return (
    <form onSubmit={submit}>
      <Refusal text={add.isError ? problem(add.error) : null} />
      <Stack>
        <Group grow align="start">
          <TextInput
            label={t("tokens.name")}
            placeholder={t("tokens.nameExample")}
            required
            withAsterisk={false}
            data-autofocus
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <NativeSelect
            label={t("tokens.lifetime")}
            value={days}
            onChange={(event) => setDays(Number(event.currentTarget.value))}
            data={lifetimes.map((count) => ({ value: String(count), label: t("tokens.days", { count }) }))}
          />
        </Group>
        <RolesField
          label={t("accounts.roles")}
          description={t("tokens.rolesHelp")}
          choices={institutions.map((own) => ({ code: own.code, name: own.name, roles: inOrder(own.roles) }))}
          value={roles}
          onChange={setRoles}
        />
        {factor.enrolled && <CodeField value={code} onChange={setCode} />}
        <Group justify="end">
          <Button variant="default" onClick={onDone}>
            {t("form.cancel")}
          </Button>
          <Button type="submit" loading={add.isPending} disabled={name.trim() === "" || roles.length === 0 || (factor.enrolled && code.trim() === "")}>
            {t("tokens.make")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
