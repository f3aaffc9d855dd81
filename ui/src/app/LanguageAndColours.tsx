import { ActionIcon, SegmentedControl, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { useTranslation } from "react-i18next";

import { isLanguage, languages, setLanguage } from "../i18n";

export function LanguageAndColours() {
  const { t, i18n } = useTranslation();
  const scheme = useComputedColorScheme("light");
  const { setColorScheme } = useMantineColorScheme();
  return (
    <>
      <SegmentedControl
        size="xs"
        aria-label={t("shell.language")}
        value={isLanguage(i18n.language) ? i18n.language : "en"}
        onChange={(value) => setLanguage(value)}
        data={languages.map((value) => ({ value, label: value === "ko" ? "한국어" : "English" }))}
      />
      <ActionIcon
        variant="default"
        size="md"
        aria-label={t(scheme === "dark" ? "shell.light" : "shell.dark")}
        onClick={() => setColorScheme(scheme === "dark" ? "light" : "dark")}
      >
        {scheme === "dark" ? "☀" : "☾"}
      </ActionIcon>
    </>
  );
}
