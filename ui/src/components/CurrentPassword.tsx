import { PasswordInput } from "@mantine/core";
import { useTranslation } from "react-i18next";

interface Props {
  login: string;
  label: string;
  value: string;
  onChange: (value: string) => void;
  wrong: boolean;
}

/** The password that somebody who is signed in shows once more; the login is there for password managers. */
export function CurrentPassword({ login, label, value, onChange, wrong }: Props) {
  const { t } = useTranslation();
  return (
    <>
      <input type="text" name="login" autoComplete="username" value={login} readOnly hidden />
      <PasswordInput
        label={label}
        name="password"
        autoComplete="current-password"
        required
        withAsterisk={false}
        data-autofocus
        visibilityToggleButtonProps={{ "aria-label": t("password.toggle"), tabIndex: 0 }}
        error={wrong && t("account.oldPasswordWrong")}
        value={value}
        onChange={(event) => onChange(event.currentTarget.value)}
      />
    </>
  );
}
