import { Badge, Stack, Table, Text, Tooltip } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { AuditItem } from "../../api/access";

const colours: Record<string, string> = { done: "gray", refused: "orange", failed: "red" };

export function AuditRow({ item }: { item: AuditItem }) {
  const { t, i18n } = useTranslation();
  const at = new Date(item.at);
  const said = useDetail(item.detail);
  const kind = t(`audit.actor.${item.actor.kind}`, { defaultValue: item.actor.kind });
  const numbered = item.actor.kind === "account" && item.actor.id ? t("audit.account", { number: item.actor.id }) : kind;
  const called = item.actor.name || (item.actor.kind === "account" ? null : item.actor.id);
  return (
    <Table.Tr>
      <Table.Td style={{ whiteSpace: "nowrap" }}>
        <Tooltip label={item.at}>
          <Text size="sm">{at.toLocaleDateString(i18n.language, { dateStyle: "medium" })}</Text>
        </Tooltip>
        <Text size="xs" c="dimmed">
          {at.toLocaleTimeString(i18n.language)}
        </Text>
      </Table.Td>
      <Table.Td>
        <Text size="sm">{called ?? numbered}</Text>
        <Text size="xs" c="dimmed">
          {[called && numbered, item.address].filter(Boolean).join(" · ")}
        </Text>
      </Table.Td>
      <Table.Td>
        <Text size="sm">{t(`audit.action.${item.action}`, { defaultValue: item.action })}</Text>
        {item.institution && (
          <Text size="xs" c="dimmed">
            {item.institution}
          </Text>
        )}
      </Table.Td>
      <Table.Td>
        <Badge color={colours[item.outcome] ?? "gray"} variant="light">
          {t(`audit.ended.${item.outcome}`, { defaultValue: item.outcome })}
        </Badge>
      </Table.Td>
      <Table.Td maw={420}>
        <Stack gap={2}>
          {item.studies.map((study) => (
            <Text key={study} size="xs" ff="monospace" style={{ overflowWrap: "anywhere" }}>
              {study}
            </Text>
          ))}
          {said.length > 0 && (
            <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
              {said.join(" · ")}
            </Text>
          )}
          {item.studies.length === 0 && said.length === 0 && "–"}
        </Stack>
      </Table.Td>
    </Table.Tr>
  );
}

/** What else an event says, in words; what has no words here stands as the server says it. */
function useDetail(detail: Record<string, unknown>): string[] {
  const { t, i18n } = useTranslation();
  const word = (key: string, value: unknown): string => {
    if (Array.isArray(value)) return value.map((one) => word(key, one)).join(", ");
    const text = typeof value === "string" || typeof value === "number" ? String(value) : JSON.stringify(value);
    const known = { role: `role.${text}`, permission: `permission.${text}`, subject: `audit.subject.${text}`, keys: `audit.key.${text}` }[key];
    return known && i18n.exists(known) ? t(known) : text;
  };
  return Object.entries(detail).map(([key, value]) => {
    const label = t(`audit.detail.${key}`, { defaultValue: key });
    return value === true ? label : `${label}: ${word(key, value)}`;
  });
}
