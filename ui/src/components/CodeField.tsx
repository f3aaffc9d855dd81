import { Anchor, Stack, TextInput } from "@mantine/core";
import { type Ref, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

interface Props {
  value: string;
  onChange: (code: string) => void;
  /** Whether a recovery code is taken, too. */
  recovery?: boolean;
  error?: string | null;
  ref?: Ref<HTMLInputElement>;
}

/** The digits of a code as an authenticator shows them, with or without spaces; null while there are not six. */
function digitsOf(text: string): string | null {
  const digits = text.replaceAll(/\s/g, "");
  return /^\d{6}$/.test(digits) ? digits : null;
}

/** A code of the second factor. Six digits, typed or pasted, send the form. */
export function CodeField({ value, onChange, recovery = true, error, ref }: Props) {
  const { t } = useTranslation();
  const [byRecovery, setByRecovery] = useState(false);
  const own = useRef<HTMLInputElement>(null);
  const sent = useRef<string | null>(null);
  useEffect(() => {
    const digits = byRecovery ? null : digitsOf(value);
    // Once for the same digits: what was refused is not sent again by itself.
    if (digits !== null && digits !== sent.current) own.current?.form?.requestSubmit();
    sent.current = digits;
  }, [value, byRecovery]);
  return (
    <Stack gap={6}>
      <TextInput
        ref={(input) => {
          own.current = input;
          if (typeof ref === "function") ref(input);
          else if (ref) ref.current = input;
        }}
        label={t(byRecovery ? "secondFactor.recoveryCode" : "secondFactor.code")}
        description={t(byRecovery ? "secondFactor.recoveryCodeHelp" : "secondFactor.codeHelp")}
        name="one-time-code"
        autoComplete={byRecovery ? "off" : "one-time-code"}
        inputMode={byRecovery ? "text" : "numeric"}
        autoCapitalize="none"
        spellCheck={false}
        required
        withAsterisk={false}
        autoFocus
        data-autofocus
        maxLength={40}
        error={error}
        value={value}
        onChange={(event) => onChange(event.currentTarget.value)}
        styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)", letterSpacing: byRecovery ? 0 : 2 } }}
      />
      {recovery && (
        <Anchor
          component="button"
          type="button"
          size="xs"
          ta="left"
          onClick={() => {
            setByRecovery(!byRecovery);
            onChange("");
            own.current?.focus();
          }}
        >
          {t(byRecovery ? "secondFactor.useAuthenticator" : "secondFactor.useRecovery")}
        </Anchor>
      )}
    </Stack>
  );
}
