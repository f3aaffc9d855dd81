import { Stack, Text, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { type Permission, rolesThatMay } from "../api/access";
import { useRoleList } from "../components/access";
import { useMay } from "./session";

/** Shows a page to those who may, and tells the others whom to ask. */
export function Needs({ permission, children }: { permission: Permission; children: ReactNode }) {
  return useMay(permission) ? children : <Forbidden permission={permission} />;
}

function Forbidden({ permission }: { permission: Permission }) {
  const { t } = useTranslation();
  const roleList = useRoleList();
  useDocumentTitle(`${t("forbidden.title")} · Hilum`);
  return (
    <Stack align="center" py={80} gap="xs" role="alert">
      <Title order={1} size="h2">{t("forbidden.title")}</Title>
      <Text c="dimmed" ta="center" maw={480}>
        {t("forbidden.text", { roles: roleList(rolesThatMay(permission)) })}
      </Text>
    </Stack>
  );
}
