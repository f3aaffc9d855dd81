/** The rules of a new password that a page can see (NIST SP 800-63B-4 3.1.1.2). How easily it is guessed, the server finds out. */

export const shortestPassword = 15;
const longestPassword = 256;

export interface NewPassword {
  password: string;
  repeated: string;
}

export const rules = ["long", "notLogin", "same"] as const;
export type Rule = (typeof rules)[number];

/** Characters as the server counts them: code points, however they were typed. */
export function characters(password: string): number {
  return [...password.normalize("NFKC")].length;
}

/** Which rules a password keeps. */
export function kept({ password, repeated }: NewPassword, login: string): Record<Rule, boolean> {
  const count = characters(password);
  return {
    long: count >= shortestPassword && count <= longestPassword,
    notLogin: password !== "" && password.toLowerCase() !== login.trim().toLowerCase(),
    same: password !== "" && password === repeated,
  };
}

export function isGood(fresh: NewPassword, login: string): boolean {
  return Object.values(kept(fresh, login)).every(Boolean);
}
