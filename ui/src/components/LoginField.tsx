import { TextInput, type TextInputProps } from "@mantine/core";
import { useTranslation } from "react-i18next";

interface Props extends Omit<TextInputProps, "onChange"> {
  /** It is known whose login it is. */
  fixed: boolean;
  value: string;
  onChange: (login: string) => void;
}

/** The login of whoever signs in, as password managers look for it. */
export function LoginField({ fixed, onChange, ...props }: Props) {
  const { t } = useTranslation();
  return (
    <TextInput
      label={t("signIn.login")}
      name="login"
      autoComplete="username"
      autoCapitalize="none"
      spellCheck={false}
      required
      withAsterisk={false}
      autoFocus={!fixed}
      readOnly={fixed}
      variant={fixed ? "filled" : "default"}
      onChange={(event) => onChange(event.currentTarget.value)}
      {...props}
    />
  );
}
