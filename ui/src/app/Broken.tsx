import { Button, Stack, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";

/** In place of a page that did not come, as after the server was renewed, or that failed. */
export function Broken() {
  const { t } = useTranslation();
  return (
    <Stack align="center" py={80} px="md" role="alert">
      <Title order={1} size="h2">{t("broken.title")}</Title>
      <Text c="dimmed" ta="center" maw={480}>
        {t("broken.text")}
      </Text>
      <Button onClick={() => window.location.reload()}>{t("broken.again")}</Button>
    </Stack>
  );
}
