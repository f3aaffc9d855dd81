import { Group, Stack, Text, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import type { ReactNode } from "react";

/** A page's title, what it is for, and its main act. */
export function PageHead({ title, text, children }: { title: string; text: string; children?: ReactNode }) {
  useDocumentTitle(`${title} · Hilum`);
  return (
    <Group justify="space-between" mb="md" align="end">
      <Stack gap={2} flex="1 1 320px">
        <Title order={1} size="h2">{title}</Title>
        <Text c="dimmed" size="sm" maw={720}>
          {text}
        </Text>
      </Stack>
      {children}
    </Group>
  );
}
