import { useTranslation } from "react-i18next";

import { type Permission, type Role, roles, rolesThatMay } from "../api/access";
import { ApiError } from "../api/http";
import { SessionLost } from "../api/session";

/** Roles in words, one after the other. */
export function useRoleList(): (some: Role[]) => string {
  const { t, i18n } = useTranslation();
  return (some) =>
    new Intl.ListFormat(i18n.language, { type: "disjunction" }).format(some.map((role) => t(`role.${role}`)));
}

/** The roles in their order, from the least to the most. */
export function inOrder(some: Role[]): Role[] {
  return roles.filter((role) => some.includes(role));
}

/** What went wrong, in the interface's language, and what to do. `permission`: what the act needed. */
export function useProblem(): (error: unknown, permission?: Permission) => string {
  const { t, i18n } = useTranslation();
  const roleList = useRoleList();
  return (error, permission) => {
    if (error instanceof SessionLost) return t("problem.sessionLost");
    if (!(error instanceof ApiError)) return t("problem.unreachable");
    if (error.status === 403 && permission) return t("forbidden.text", { roles: roleList(rolesThatMay(permission)) });
    const known = `problem.${error.code}`;
    return i18n.exists(known) ? t(known) : t("problem.other", { message: error.message });
  };
}

/** A moment in the reader's language and time zone. */
export function useMoment(): (moment: string) => string {
  const { i18n } = useTranslation();
  return (moment) => new Date(moment).toLocaleString(i18n.language, { dateStyle: "medium", timeStyle: "short" });
}
