import { Button, Code, Group, Modal, Stack, Table, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import { accessApi } from "../../api/access";
import { useAct, useInstitutions } from "../../api/accessHooks";
import { loadSession } from "../../app/session";
import { useProblem } from "../../components/access";
import { PageHead } from "../../components/PageHead";
import { Refusal } from "../../components/Refusal";
import { TableCard } from "../../components/TableCard";

export function InstitutionsPage() {
  const { t } = useTranslation();
  const institutions = useInstitutions();
  const [adding, { open, close }] = useDisclosure(false);
  return (
    <>
      <PageHead title={t("institutions.title")} text={t("institutions.text")}>
        <Button onClick={open}>{t("institutions.add")}</Button>
      </PageHead>
      <TableCard
        query={institutions}
        needs="manage"
        columns={[t("institutions.name"), t("institutions.code")]}
        empty={t("institutions.empty")}
        minWidth={320}
      >
        {(institutions.data ?? []).map((institution) => (
          <Table.Tr key={institution.code}>
            <Table.Td fw={600}>{institution.name || institution.code}</Table.Td>
            <Table.Td>
              <Code>{institution.code}</Code>
            </Table.Td>
          </Table.Tr>
        ))}
      </TableCard>
      <Modal opened={adding} onClose={close} title={t("institutions.add")} centered>
        <InstitutionForm onDone={close} />
      </Modal>
    </>
  );
}

/** As hilum_engine::access::InstitutionCode has it. */
const codePattern = /^[A-Za-z0-9_-]{1,32}$/;

function InstitutionForm({ onDone }: { onDone: () => void }) {
  const { t } = useTranslation();
  const problem = useProblem();
  const [code, setCode] = useState("");
  const [name, setName] = useState("");
  const add = useAct("institutions", accessApi.addInstitution);
  const wrong = code !== "" && !codePattern.test(code);

  function submit(event: FormEvent) {
    event.preventDefault();
    add.mutate(
      { code, name: name.trim() },
      {
        onSuccess: () => {
          // Whoever adds an institution may have got a role in it.
          void loadSession();
          onDone();
        },
      },
    );
  }

  return (
    <form onSubmit={submit}>
      <Refusal text={add.isError ? problem(add.error, "manage") : null} />
      <Stack>
        <TextInput
          label={t("institutions.code")}
          description={t("institutions.codeHelp")}
          required
          withAsterisk={false}
          data-autofocus
          spellCheck={false}
          error={wrong && t("institutions.codeWrong")}
          value={code}
          onChange={(event) => setCode(event.currentTarget.value)}
        />
        <TextInput
          label={t("institutions.name")}
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
            {t("institutions.add")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
