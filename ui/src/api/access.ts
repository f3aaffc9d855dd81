/** Who may sign in and what they may do, as crates/hilum-engine/src/access.rs and accounts/ define it. */

import { answer, json, request, sendAsIs } from "./http";

export const roles = ["viewer", "radiologist", "researcher", "data_steward", "administrator"] as const;
export type Role = (typeof roles)[number];

export type Permission =
  | "view" | "predict" | "store" | "export" | "delete" | "operate" | "manage" | "audit" | "reidentify" | "review" | "curate" | "quality";

/** What each role allows; the server decides, and this tells whom to ask. */
export const permissionsOf: Record<Role, Permission[]> = {
  viewer: ["view"],
  radiologist: ["view", "predict", "review", "quality"],
  researcher: ["quality"],
  data_steward: ["view", "store", "export", "delete", "operate", "audit", "reidentify", "curate", "quality"],
  administrator: ["operate", "manage", "quality"],
};

export function rolesThatMay(permission: Permission): Role[] {
  return roles.filter((role) => permissionsOf[role].includes(permission));
}

export interface Membership {
  code: string;
  name: string;
  roles: Role[];
  permissions: Permission[];
}

/** The second factor of the account that is signed in. */
export interface SecondFactor {
  enrolled: boolean;
  required: boolean;
  recovery_codes_left: number;
  /** Then an administrator took it away, and the account has not said that it knows. */
  reset_at: string | null;
}

export interface Session {
  account: { id: number; login: string; name: string };
  csrf: string;
  institutions: Membership[];
  second_factor: SecondFactor;
  /** Of the sign-in that made the second factor count, alone. */
  recovery_codes?: string[];
}

/** What an authenticator is to be told. */
export interface NewAuthenticator {
  secret: string;
  uri: string;
  /** An SVG path in a square of `size`. */
  qr: { size: number; path: string };
}

export interface RoleAt {
  institution: string;
  role: Role;
}

export interface Account {
  id: number;
  login: string;
  name: string;
  disabled: boolean;
  second_factor: boolean;
  locked_until: string | null;
  last_sign_in: string | null;
  /** Given by hand. */
  roles: RoleAt[];
  /** Given by the claims of an OpenID provider, until the next sign-in says otherwise. */
  claimed_roles: RoleAt[];
}

export interface Institution {
  code: string;
  name: string;
}

export interface ApiToken {
  id: number;
  name: string;
  roles: RoleAt[];
  created_at: string;
  expires_at: string;
  last_used_at: string | null;
}

/** A provider that people may sign in by. */
export interface OpenIdProvider {
  id: string;
  name: string;
  issuer: string;
}

/** Somebody whom a provider knows, and whose account that is. */
export interface Identity {
  id: number;
  issuer: string;
  subject: string;
  linked_at: string;
  last_used_at: string | null;
}

/** Where the browser is to go. */
interface Location {
  location: string;
}

export interface LinkView {
  purpose: "first_administrator" | "invitation" | "reset";
  login: string | null;
  name: string | null;
}

/** An event of the audit trail, as crates/hilum-engine/src/audit/trail.rs shows it. */
export interface AuditItem {
  number: number;
  at: string;
  /** `id`: number of the account or AE title of the peer. `name`: what the server calls it, where it does. */
  actor: { kind: string; id: string | null; name?: string | null };
  address: string | null;
  action: string;
  outcome: string;
  institution: string | null;
  studies: string[];
  detail: Record<string, unknown>;
}

export interface AuditSearch {
  action: string;
  actor: string;
  study: string;
  /** RFC 3339; the first moment that counts. */
  from: string;
  /** RFC 3339; the first moment that no longer counts. */
  to: string;
}

const session = "/api/v1/session";
const accounts = "/api/v1/accounts";

/** Requests that are answered without a session, and those that change it. */
export const sessionApi = {
  current: async () => answer<Session>(await sendAsIs(session)),
  signIn: async (login: string, password: string, code?: string) =>
    answer<Session>(await sendAsIs(session, json("POST", { login, password, code }))),
  beginSecondFactor: async (login: string, password: string) =>
    answer<NewAuthenticator>(await sendAsIs(`${session}/second-factor`, json("POST", { login, password }))),
  /** An address, where the session began by a provider that signs out too. */
  signOut: async () => answer<Location | undefined>(await sendAsIs(session, { method: "DELETE" })),
  providers: async () => answer<OpenIdProvider[]>(await sendAsIs("/api/v1/openid")),
  /** `returns`: the page of ours that is opened after the sign-in. */
  goTo: async (provider: string, returns: string) =>
    answer<Location>(await sendAsIs(`/api/v1/openid/${provider}`, json("POST", { return_to: returns }))),
  changePassword: (old: string, fresh: string) =>
    request<Session>(`${session}/password`, json("PUT", { old, new: fresh })),
  checkLink: async (link: string) => answer<LinkView>(await sendAsIs("/api/v1/links/check", json("POST", { link }))),
  useLink: async (use: { link: string; login?: string; name?: string; password: string }) =>
    answer<Session | undefined>(await sendAsIs("/api/v1/links/use", json("POST", use))),
};

const secondFactor = "/api/v1/second-factor";

/** One's own second factor. */
export const secondFactorApi = {
  begin: (password: string) => request<NewAuthenticator>(secondFactor, json("POST", { password })),
  confirm: (code: string) => request<{ recovery_codes: string[] }>(secondFactor, json("PUT", { code })),
  renew: (code: string) => request<{ recovery_codes: string[] }>(`${secondFactor}/recovery-codes`, json("POST", { code })),
  remove: (code: string) => request<void>(`${secondFactor}/remove`, json("POST", { code })),
  sawReset: () => request<void>(`${secondFactor}/reset-seen`, json("POST", {})),
};

export const accessApi = {
  accounts: () => request<Account[]>(accounts),
  addAccount: (account: { login: string; name: string; roles: RoleAt[] }) =>
    request<{ account: Account; link: string }>(accounts, json("POST", account)),
  changeAccount: (id: number, change: { name?: string; disabled?: boolean; roles?: RoleAt[] }) =>
    request<Account>(`${accounts}/${id}`, json("PATCH", change)),
  newLink: (id: number) => request<{ link: string }>(`${accounts}/${id}/link`, json("POST", {})),
  resetSecondFactor: (id: number) => request<void>(`${accounts}/${id}/second-factor/reset`, json("POST", {})),
  institutions: () => request<Institution[]>("/api/v1/institutions"),
  addInstitution: (institution: Institution) =>
    request<Institution>("/api/v1/institutions", json("POST", institution)),
  identities: () => request<Identity[]>("/api/v1/identities"),
  linkIdentity: (provider: string) => request<Location>("/api/v1/identities", json("POST", { provider })),
  unlinkIdentity: (id: number) => request<void>(`/api/v1/identities/${id}`, { method: "DELETE" }),
  tokens: () => request<ApiToken[]>("/api/v1/tokens"),
  addToken: (token: { name: string; days: number; roles: RoleAt[]; code?: string }) =>
    request<{ token: string }>("/api/v1/tokens", json("POST", token)),
  revokeToken: (id: number) => request<void>(`/api/v1/tokens/${id}`, { method: "DELETE" }),
  audit: (search: AuditSearch, after: string) => {
    const asked = Object.entries({ ...search, after, limit: "50" }).filter(([, value]) => value !== "");
    return request<{ items: AuditItem[]; next: string | null }>(`/api/v1/audit?${new URLSearchParams(asked).toString()}`);
  },
};

/** As hilum_engine::accounts takes a login: 1 to 64 of these, in lower case in the end. */
export const loginPattern = /^[a-z0-9._@-]{1,64}$/i;

/** The institution that stands for this installation: who manages it adds others. */
export const ownInstitution = "LOCAL";

/** The address that a one-time link is opened with. The secret stands in the fragment, which no browser sends. */
export function linkAddress(link: string): string {
  return `${window.location.origin}/welcome#${link}`;
}
