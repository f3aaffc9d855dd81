import { useTranslation } from "react-i18next";

import { ApiError } from "../../api/http";
import { useProblem } from "../../components/access";

/** Why an account could not be added or changed. */
export function useAccountProblem(adding = false): (error: unknown) => string {
  const { t } = useTranslation();
  const problem = useProblem();
  return (error) => {
    // Whoever sees this page manages accounts, but perhaps not in every institution that this one belongs to.
    if (error instanceof ApiError && error.status === 403) return t("accounts.notAlone");
    if (error instanceof ApiError && error.code === "conflict") {
      return t(adding ? "accounts.loginTaken" : "accounts.lastAdministrator");
    }
    return problem(error);
  };
}
