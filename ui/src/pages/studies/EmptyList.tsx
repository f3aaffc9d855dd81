import { Anchor, Button, Center, Code, Loader, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";

interface Props {
  searched: string;
  /** Something is looked for, or left out. */
  filtered: boolean;
  onClear: () => void;
  demo: boolean;
  stores: boolean;
}

/** What to do when nothing is there, or nothing matches. */
export function EmptyList({ searched, filtered, onClear, demo, stores }: Props) {
  const { t } = useTranslation();
  if (filtered) {
    return (
      <Center py={60} px="md">
        <Stack align="center" gap="xs">
          <Text c="dimmed">{searched ? t("studies.noMatch", { text: searched }) : t("worklist.noneMatches")}</Text>
          <Button variant="default" size="xs" onClick={onClear}>{t("audit.clear")}</Button>
        </Stack>
      </Center>
    );
  }
  if (demo) {
    return (
      <Center py={60} px="md">
        <Stack align="center" gap="xs">
          <Loader aria-hidden />
          <Text fw={600}>{t("studies.demoEmpty")}</Text>
          <Text c="dimmed" ta="center" maw={560}>
            {t("studies.demoEmptyHelp")}
          </Text>
        </Stack>
      </Center>
    );
  }
  return (
    <Center py={60} px="md">
      <Stack align="center" gap="xs">
        <Text fw={600}>{t("studies.empty")}</Text>
        <Text c="dimmed" ta="center" maw={560}>
          {t(stores ? "studies.emptyHelpStore" : "studies.emptyHelp")}
        </Text>
        {stores && (
          <>
            <Code>hilum import /path/to/ct</Code>
            <Code>storescu -aec HILUM 127.0.0.1 11112 *.dcm</Code>
            <Anchor component={Link} to="/setup">{t("worklist.toSetup")}</Anchor>
          </>
        )}
      </Stack>
    </Center>
  );
}
