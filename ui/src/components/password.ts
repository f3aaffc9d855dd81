/** The rules of a new password (NIST SP 800-63B 3.1.1.2): long, and not the login. What is common is the server's to know. */

export const shortestPassword = 12;

export interface NewPassword {
  password: string;
  repeated: string;
}

export const rules = ["long", "notLogin", "same"] as const;
export type Rule = (typeof rules)[number];

/** Which rules a password keeps. A character is a code point, whatever it takes to store. */
export function kept({ password, repeated }: NewPassword, login: string): Record<Rule, boolean> {
  return {
    long: [...password].length >= shortestPassword,
    notLogin: password !== "" && password.toLowerCase() !== login.trim().toLowerCase(),
    same: password !== "" && password === repeated,
  };
}

export function isGood(fresh: NewPassword, login: string): boolean {
  return Object.values(kept(fresh, login)).every(Boolean);
}
