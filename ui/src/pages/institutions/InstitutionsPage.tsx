import { Button, Code, Group, Stack, Table, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import { accessApi, type Institution, ownInstitution } from "../../api/access";
import { useAct, useInstitutions } from "../../api/accessHooks";
import { ApiError } from "../../api/http";
import { loadSession, mayAt, useSession } from "../../app/session";
import { useProblem } from "../../components/access";
import { Dialog } from "../../components/Dialog";
import { PageHead } from "../../components/PageHead";
import { Refusal } from "../../components/Refusal";
import { TableCard } from "../../components/TableCard";

export function InstitutionsPage() {
  const { t } = useTranslation();
  const institutions = useInstitutions();
  const session = useSession();
  const adds = mayAt(session, "manage", ownInstitution);
  const [edited, setEdited] = useState<Institution | "new" | null>(null);
  const close = () => setEdited(null);
  return (
    <>
      <PageHead title={t("institutions.title")} text={t("institutions.text")}>
        {adds && <Button onClick={() => setEdited("new")}>{t("institutions.add")}</Button>}
      </PageHead>
      <TableCard
        query={institutions}
        needs="manage"
        columns={[t("institutions.name"), t("institutions.code")]}
        empty={t("institutions.empty")}
        acts
        minWidth={320}
      >
        {(institutions.data ?? []).map((institution) => (
          <Table.Tr key={institution.code}>
            <Table.Td fw={600}>{institution.name || institution.code}</Table.Td>
            <Table.Td>
              <Code>{institution.code}</Code>
            </Table.Td>
            <Table.Td ta="right">
              {adds && mayAt(session, "manage", institution.code) && (
                <Button
                  variant="default"
                  size="xs"
                  aria-label={t("institutions.renameOne", { code: institution.code })}
                  onClick={() => setEdited(institution)}
                >
                  {t("institutions.rename")}
                </Button>
              )}
            </Table.Td>
          </Table.Tr>
        ))}
      </TableCard>
      <Dialog
        opened={edited !== null}
        onClose={close}
        title={edited && t(edited === "new" ? "institutions.add" : "institutions.rename")}
      >
        {edited && <InstitutionForm institution={edited === "new" ? null : edited} onDone={close} />}
      </Dialog>
    </>
  );
}

/** As hilum_engine::access::InstitutionCode has it. */
const codePattern = /^[A-Za-z0-9_-]{1,32}$/;

function InstitutionForm({ institution, onDone }: { institution: Institution | null; onDone: () => void }) {
  const { t } = useTranslation();
  const problem = useProblem();
  const [code, setCode] = useState(institution?.code ?? "");
  const [name, setName] = useState(institution?.name ?? "");
  const add = useAct("institutions", accessApi.addInstitution);
  const taken = add.error instanceof ApiError && add.error.code === "conflict";
  const wrong = code !== "" && !codePattern.test(code);

  function submit(event: FormEvent) {
    event.preventDefault();
    add.mutate(
      { code, name: name.trim() },
      {
        onSuccess: () => {
          // Whoever adds an institution manages it.
          void loadSession();
          onDone();
        },
      },
    );
  }

  return (
    <form onSubmit={submit}>
      <Refusal text={add.error && (taken ? t("institutions.taken") : problem(add.error, "manage"))} />
      <Stack>
        <TextInput
          label={t("institutions.code")}
          description={t("institutions.codeHelp")}
          required
          withAsterisk={false}
          data-autofocus={institution === null || undefined}
          readOnly={institution !== null}
          variant={institution ? "filled" : "default"}
          spellCheck={false}
          error={wrong && t("institutions.codeWrong")}
          value={code}
          onChange={(event) => setCode(event.currentTarget.value)}
        />
        <TextInput
          label={t("institutions.name")}
          data-autofocus={institution !== null || undefined}
          required
          withAsterisk={false}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <Group justify="end">
          <Button variant="default" onClick={onDone}>
            {t("form.cancel")}
          </Button>
          <Button type="submit" loading={add.isPending} disabled={!codePattern.test(code) || name.trim() === ""}>
            {t(institution ? "form.save" : "institutions.add")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
