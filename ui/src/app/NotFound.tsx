import { Anchor, Stack, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";

export function NotFound() {
  const { t } = useTranslation();
  return (
    <Stack align="center" py={80}>
      <Title order={1} size="h2">{t("notFound.title")}</Title>
      <Text c="dimmed">{t("notFound.text")}</Text>
      <Anchor component={Link} to="/">
        {t("notFound.back")}
      </Anchor>
    </Stack>
  );
}
