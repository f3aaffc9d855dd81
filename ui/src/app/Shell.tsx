import { Alert, Anchor, AppShell, Badge, Container, Group, Text, Tooltip } from "@mantine/core";
import { Suspense, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { Link, Outlet, useMatches } from "react-router";

import { useSystem } from "../api/hooks";
import { ApiError } from "../api/http";
import { ActivityStrip } from "../components/ActivityStrip";
import { whenOpened } from "../i18n";
import { uploads } from "../pages/studies/upload/queue";
import { AccountMenu } from "./AccountMenu";
import { FactorReset } from "./FactorReset";
import { LanguageAndColours } from "./LanguageAndColours";
import { Navigation } from "./Navigation";
import { useMay } from "./session";

const UploadPanel = whenOpened(() => import("../pages/studies/upload/UploadPanel").then(({ UploadPanel }) => ({ default: UploadPanel })));

/** A page that wants the whole width says so in its route's handle. */
export interface RouteHandle {
  wide?: boolean;
}

export function Shell() {
  const { t } = useTranslation();
  const system = useSystem();
  const views = useMay("view");
  const wide = useMatches().some(({ handle }) => (handle as RouteHandle | undefined)?.wide === true);
  const uploading = useSyncExternalStore(uploads.subscribe, () => uploads.read().files.length > 0 || uploads.read().opening !== null);
  // A refusal is an answer, too.
  const silent = system.isError && !(system.error instanceof ApiError && system.error.status < 500);
  return (
    <AppShell header={{ height: 52 }} padding={0}>
      <AppShell.Header className="no-print">
        <Container fluid h="100%" px="md">
          <Group h="100%" justify="space-between" wrap="nowrap" gap="md">
            <Group gap="md" wrap="nowrap" miw={0}>
              <Link to="/" aria-label="Hilum" className="home">
                <img src="/hilum.svg" alt="" width={28} height={28} />
                <Text fw={700} size="lg" lts={-0.3} visibleFrom="md">
                  Hilum
                </Text>
              </Link>
              <Navigation />
            </Group>
            <Group gap="xs" wrap="nowrap">
              {views && (
                <Tooltip label={t("shell.zoneHelp")} multiline w={280}>
                  <Badge variant="light" visibleFrom="lg">
                    {t(system.data?.loopback_only ? "shell.zoneLocal" : "shell.zone")}
                  </Badge>
                </Tooltip>
              )}
              <LanguageAndColours />
              <AccountMenu />
            </Group>
          </Group>
        </Container>
      </AppShell.Header>
      <AppShell.Main>
        <Container {...(wide ? { fluid: true } : { size: "xl" })} py="sm" px="md">
          {silent && (
            <Alert color="red" mb="md" title={t("shell.unreachable")}>
              {t("shell.unreachableHelp")}
            </Alert>
          )}
          <FactorReset />
          {views && <ActivityStrip />}
          <Suspense>
            <Outlet />
          </Suspense>
          <Text size="xs" c="dimmed" ta="center" mt="lg">
            {t("shell.disclaimer")}
            {system.data ? ` · Hilum ${system.data.version}` : ""} ·{" "}
            <Anchor component={Link} to="/help" size="xs" c="dimmed" td="underline">{t("nav.help")}</Anchor>
          </Text>
        </Container>
        {uploading && (
          <Suspense>
            <UploadPanel />
          </Suspense>
        )}
      </AppShell.Main>
    </AppShell>
  );
}
