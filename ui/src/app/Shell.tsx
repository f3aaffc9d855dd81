import {
  ActionIcon, Alert, AppShell, Badge, Container, Group, SegmentedControl, Text, Tooltip,
  useComputedColorScheme, useMantineColorScheme,
} from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link, Outlet } from "react-router";

import { useSystem } from "../api/hooks";
import { ActivityStrip } from "../components/ActivityStrip";
import { isLanguage, languages, setLanguage } from "../i18n";

export function Shell() {
  const { t, i18n } = useTranslation();
  const system = useSystem();
  const scheme = useComputedColorScheme("light");
  const { setColorScheme } = useMantineColorScheme();
  return (
    <AppShell header={{ height: 60 }} padding={0}>
      <AppShell.Header className="no-print">
        <Container size="xl" h="100%">
          <Group h="100%" justify="space-between" wrap="nowrap">
            <Group gap="sm" wrap="nowrap" component={Link} renderRoot={(props) => <Link to="/" {...props} style={{ textDecoration: "none", color: "inherit" }} />}>
              <img src="/hilum.svg" alt="" width={30} height={30} />
              <Text fw={700} size="lg" lts={-0.3}>
                Hilum
              </Text>
              <Tooltip label={t("shell.zoneHelp")} multiline w={280}>
                <Badge variant="light" visibleFrom="sm">
                  {t("shell.zone")}
                </Badge>
              </Tooltip>
            </Group>
            <Group gap="xs" wrap="nowrap">
              <SegmentedControl
                size="xs"
                aria-label={t("shell.language")}
                value={isLanguage(i18n.language) ? i18n.language : "en"}
                onChange={(value) => setLanguage(value)}
                data={languages.map((value) => ({ value, label: value === "ko" ? "한국어" : "English" }))}
              />
              <ActionIcon
                variant="default"
                size="md"
                aria-label={t(scheme === "dark" ? "shell.light" : "shell.dark")}
                onClick={() => setColorScheme(scheme === "dark" ? "light" : "dark")}
              >
                {scheme === "dark" ? "☀" : "☾"}
              </ActionIcon>
            </Group>
          </Group>
        </Container>
      </AppShell.Header>
      <AppShell.Main>
        <Container size="xl" py="lg">
          {system.isError && (
            <Alert color="red" mb="md" title={t("shell.unreachable")}>
              {t("shell.unreachableHelp")}
            </Alert>
          )}
          <ActivityStrip />
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
