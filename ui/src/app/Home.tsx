import { Stack, Text, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import { useTranslation } from "react-i18next";
import { Navigate } from "react-router";

import { StudiesPage } from "../pages/studies/StudiesPage";
import { may, useSession } from "./session";

/** The first page: the studies, or what else the roles are for. */
export function Home() {
  const session = useSession();
  if (may(session, "view")) return <StudiesPage />;
  if (may(session, "manage")) return <Navigate to="/admin/accounts" replace />;
  if (may(session, "audit")) return <Navigate to="/admin/audit" replace />;
  return <NothingYet />;
}

function NothingYet() {
  const { t } = useTranslation();
  useDocumentTitle("Hilum");
  return (
    <Stack align="center" py={80} gap="xs">
      <Title order={1} size="h2">{t("nothing.title")}</Title>
      <Text c="dimmed" ta="center" maw={480}>
        {t("nothing.text")}
      </Text>
    </Stack>
  );
}
