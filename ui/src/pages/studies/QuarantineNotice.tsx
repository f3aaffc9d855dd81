import { Alert, Collapse, Table, UnstyledButton } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useTranslation } from "react-i18next";

import type { QuarantineEntry } from "../../api/types";
import { useNote } from "../../components/text";

/** Objects that came under an identifier that another object already holds. Never lost, never overwritten: shown. */
export function QuarantineNotice({ entries }: { entries: QuarantineEntry[] }) {
  const { t } = useTranslation();
  const note = useNote();
  const [opened, { toggle }] = useDisclosure(false);
  if (entries.length === 0) return null;
  return (
    <Alert color="orange" mb="md" title={t("quarantine.title", { count: entries.length })}>
      {t("quarantine.help")}{" "}
      <UnstyledButton onClick={toggle} aria-expanded={opened} td="underline" fz="sm">
        {t(opened ? "quarantine.hide" : "quarantine.show")}
      </UnstyledButton>
      <Collapse expanded={opened}>
        <Table mt="sm" fz="xs">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t("quarantine.received")}</Table.Th>
              <Table.Th>SOP Instance UID</Table.Th>
              <Table.Th>{t("quarantine.reason")}</Table.Th>
              <Table.Th>KiB</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {entries.map((entry) => (
              <Table.Tr key={entry.id}>
                <Table.Td>{new Date(entry.received_at).toLocaleString()}</Table.Td>
                <Table.Td>{entry.sop_uid}</Table.Td>
                <Table.Td>{note(entry.reason)}</Table.Td>
                <Table.Td>{Math.ceil(entry.bytes / 1024)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Collapse>
    </Alert>
  );
}
