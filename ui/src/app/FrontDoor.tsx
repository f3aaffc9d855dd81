import { Box, Center, Group, Image, Paper, Stack, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { LanguageAndColours } from "./LanguageAndColours";

/** The frame of the pages that stand before the sign-in. */
export function FrontDoor({ title, children }: { title: string; children: ReactNode }) {
  const { t } = useTranslation();
  return (
    <Box mih="100vh" pos="relative">
      <Group component="header" pos="absolute" top={14} right={16} gap="xs">
        <LanguageAndColours />
      </Group>
      <Center component="main" mih="100vh" px="md" py={72}>
        <Stack w="100%" maw={420} gap="lg">
          <Group gap="sm" justify="center">
            <Image src="/hilum.svg" alt="" w={40} h={40} />
            <Text fw={700} fz={26} lts={-0.5}>
              Hilum
            </Text>
          </Group>
          <Paper withBorder p={{ base: "lg", xs: "xl" }} shadow="xs">
            <Title order={1} size="h3" mb="md">
              {title}
            </Title>
            {children}
          </Paper>
          <Text size="xs" c="dimmed" ta="center">
            {t("shell.disclaimer")}
          </Text>
        </Stack>
      </Center>
    </Box>
  );
}
