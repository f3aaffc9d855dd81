import { Center, Code, Loader, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

/** What to do when nothing is there, or nothing matches. */
export function EmptyList({ searched, demo, stores }: { searched: string; demo: boolean; stores: boolean }) {
  const { t } = useTranslation();
  if (demo && !searched) {
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
      {searched ? (
        <Text c="dimmed">{t("studies.noMatch", { text: searched })}</Text>
      ) : (
        <Stack align="center" gap="xs">
          <Text fw={600}>{t("studies.empty")}</Text>
          <Text c="dimmed" ta="center" maw={560}>
            {t(stores ? "studies.emptyHelpStore" : "studies.emptyHelp")}
          </Text>
          {stores && (
            <>
              <Code>hilum import /path/to/ct</Code>
              <Code>storescu -aec HILUM 127.0.0.1 11112 *.dcm</Code>
            </>
          )}
        </Stack>
      )}
    </Center>
  );
}
