import { Badge, Group, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { RoleAt } from "../api/access";
import { inOrder } from "./access";

/** Roles by institution, in words. `names`: what the institutions are called. */
export function RoleBadges({ value, names }: { value: RoleAt[]; names: Map<string, string> }) {
  const { t } = useTranslation();
  if (value.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        {t("account.noRoles")}
      </Text>
    );
  }
  const codes = [...new Set(value.map(({ institution }) => institution))];
  return (
    <Stack gap={6}>
      {codes.map((code) => (
        <Group key={code} gap={6}>
          <Text size="xs" c="dimmed">
            {names.get(code) || code}
          </Text>
          {inOrder(value.filter(({ institution }) => institution === code).map(({ role }) => role)).map((role) => (
            <Badge key={role} variant="light" size="sm">
              {t(`role.${role}`)}
            </Badge>
          ))}
        </Group>
      ))}
    </Stack>
  );
}
