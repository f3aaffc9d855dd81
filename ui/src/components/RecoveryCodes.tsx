import { Alert, Button, Code, CopyButton, Group, SimpleGrid, Stack } from "@mantine/core";
import { useTranslation } from "react-i18next";

/** Codes that work once each in place of the authenticator, this once. */
export function RecoveryCodes({ codes, onDone }: { codes: string[]; onDone: () => void }) {
  const { t } = useTranslation();
  return (
    <Stack>
      <Alert color="yellow" variant="light" role="status">
        {t("secondFactor.recoveryHelp")}
      </Alert>
      <SimpleGrid component="ol" cols={1} spacing={4} m={0} p={0} aria-label={t("secondFactor.recoveryCodes")} style={{ listStyle: "none" }}>
        {codes.map((code) => (
          <li key={code}>
            <Code>{code}</Code>
          </li>
        ))}
      </SimpleGrid>
      <Group justify="space-between">
        <CopyButton value={codes.join("\n")} timeout={3_000}>
          {({ copied, copy }) => (
            <Button variant="default" onClick={copy} aria-live="polite">
              {t(copied ? "form.copied" : "secondFactor.copyAll")}
            </Button>
          )}
        </CopyButton>
        <Button onClick={onDone}>{t("secondFactor.kept")}</Button>
      </Group>
    </Stack>
  );
}
