import { Button, CopyButton, Group, TextInput } from "@mantine/core";
import { useTranslation } from "react-i18next";

/** A secret that is shown this once, to be copied. */
export function SecretShown({ label, secret }: { label: string; secret: string }) {
  const { t } = useTranslation();
  return (
    <Group align="end" gap="xs" wrap="nowrap">
      <TextInput
        flex={1}
        label={label}
        readOnly
        value={secret}
        onFocus={(event) => event.currentTarget.select()}
        styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)" } }}
      />
      <CopyButton value={secret} timeout={3_000}>
        {({ copied, copy }) => (
          <Button onClick={copy} color={copied ? "hilum.6" : "hilum"} aria-live="polite">
            {t(copied ? "form.copied" : "form.copy")}
          </Button>
        )}
      </CopyButton>
    </Group>
  );
}
