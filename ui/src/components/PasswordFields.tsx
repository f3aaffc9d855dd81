import { List, PasswordInput, Stack, Text, VisuallyHidden } from "@mantine/core";
import { useId } from "@mantine/hooks";
import { useTranslation } from "react-i18next";

import { characters, kept, type NewPassword, rules, shortestPassword } from "./password";

interface Props {
  value: NewPassword;
  onChange: (value: NewPassword) => void;
  login: string;
  /** What the server has against it. */
  error?: string | null;
  autoFocus?: boolean;
}

/** A new password, twice, and which rules it keeps so far. */
export function PasswordFields({ value, onChange, login, error, autoFocus = false }: Props) {
  const { t } = useTranslation();
  const rulesId = useId();
  const done = kept(value, login);
  const toggle = { "aria-label": t("password.toggle"), tabIndex: 0 };
  return (
    <Stack gap="md">
      <PasswordInput
        label={t("password.new")}
        description={t("password.advice")}
        name="new-password"
        autoComplete="new-password"
        required
        withAsterisk={false}
        autoFocus={autoFocus}
        aria-describedby={rulesId}
        visibilityToggleButtonProps={toggle}
        error={error}
        value={value.password}
        onChange={(event) => onChange({ ...value, password: event.currentTarget.value })}
      />
      <PasswordInput
        label={t("password.again")}
        name="repeated-password"
        autoComplete="new-password"
        required
        withAsterisk={false}
        visibilityToggleButtonProps={toggle}
        value={value.repeated}
        onChange={(event) => onChange({ ...value, repeated: event.currentTarget.value })}
      />
      <List id={rulesId} listStyleType="none" spacing={2} size="sm" aria-label={t("password.rules")}>
        {rules.map((rule) => (
          <List.Item key={rule}>
            <Text span size="sm" c={done[rule] ? "hilum" : "dimmed"} fw={done[rule] ? 600 : 400}>
              <span aria-hidden>{done[rule] ? "✓" : "○"}</span>{" "}
              {t(`password.rule.${rule}`, { shortest: shortestPassword, count: characters(value.password) })}
              <VisuallyHidden>{t(done[rule] ? "password.kept" : "password.open")}</VisuallyHidden>
            </Text>
          </List.Item>
        ))}
      </List>
    </Stack>
  );
}
