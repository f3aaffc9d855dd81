import { useTranslation } from "react-i18next";
import { useLocation } from "react-router";

/** What the server says of a way back from a provider, in the fragment of the address: a code of ours, and nothing that the provider said. */
export function useComeBack(): { linked: boolean; refusal: string | null } {
  const { t, i18n } = useTranslation();
  const code = /^#openid=([a-z_]{1,40})$/.exec(useLocation().hash)?.[1] ?? null;
  if (code === null || code === "linked") return { linked: code === "linked", refusal: null };
  const known = `problem.${code}`;
  return { linked: false, refusal: i18n.exists(known) ? t(known) : t("problem.openid_other", { code }) };
}
