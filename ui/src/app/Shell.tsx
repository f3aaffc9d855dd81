import { Alert, AppShell, Badge, Container, Group, Text, Tooltip } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link, Outlet } from "react-router";

import { useSystem } from "../api/hooks";
import { ApiError } from "../api/http";
import { ActivityStrip } from "../components/ActivityStrip";
import { AccountMenu } from "./AccountMenu";
import { FactorReset } from "./FactorReset";
import { LanguageAndColours } from "./LanguageAndColours";
import { useMay } from "./session";

export function Shell() {
  const { t } = useTranslation();
  const system = useSystem();
  const views = useMay("view");
  // A refusal is an answer, too.
  const silent = system.isError && !(system.error instanceof ApiError && system.error.status < 500);
  return (
    <AppShell header={{ height: 60 }} padding={0}>
      <AppShell.Header className="no-print">
        <Container size="xl" h="100%">
          <Group h="100%" justify="space-between" wrap="nowrap">
            <Group gap="sm" wrap="nowrap">
              <Link to="/" aria-label="Hilum" className="home">
                <img src="/hilum.svg" alt="" width={30} height={30} />
                <Text fw={700} size="lg" lts={-0.3} visibleFrom="xs">
                  Hilum
                </Text>
              </Link>
              {views && (
                <Tooltip label={t("shell.zoneHelp")} multiline w={280}>
                  <Badge variant="light" visibleFrom="sm">
                    {t(system.data?.loopback_only ? "shell.zoneLocal" : "shell.zone")}
                  </Badge>
                </Tooltip>
              )}
            </Group>
            <Group gap="xs" wrap="nowrap">
              <LanguageAndColours />
              <AccountMenu />
            </Group>
          </Group>
        </Container>
      </AppShell.Header>
      <AppShell.Main>
        <Container size="xl" py="lg">
          {silent && (
            <Alert color="red" mb="md" title={t("shell.unreachable")}>
              {t("shell.unreachableHelp")}
            </Alert>
          )}
          <FactorReset />
          {views && <ActivityStrip />}
          <Outlet />
          <Text size="xs" c="dimmed" ta="center" mt={40}>
            {t("shell.disclaimer")}
            {system.data ? ` · Hilum ${system.data.version}` : ""}
          </Text>
        </Container>
      </AppShell.Main>
    </AppShell>
  );
}
