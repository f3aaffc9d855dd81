import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

function told(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: cargo xtask e2e sets it`);
  return value;
}

/**
 * What stands before the curtain rises, as `cargo xtask` built it: the server, and what is in it.
 *
 * - `demo`: `hilum demo` on a fresh folder, whose four synthetic patients arrive and are read meanwhile; the account is a radiologist, data steward and administrator.
 * - `markup`: a study whose texts are HTML.
 * - `openid`: a provider that signs people in.
 */
export const scene = {
  name: told("HILUM_E2E_SCENE"),
  server: told("HILUM_E2E_SERVER"),
  login: process.env.HILUM_E2E_LOGIN ?? "",
  password: process.env.HILUM_E2E_PASSWORD ?? "",
  /** Where screenshots go, if anybody wants them. */
  pictures: process.env.HILUM_E2E_PICTURES ?? null,
};

/** Real data beside the repository, or null. */
export const shared = process.env.HILUM_SHARED ? join(process.env.HILUM_SHARED, "data") : null;

/** Runs the program under test on the scene's data folder, beside the running server. */
export function hilum(args: string[], input?: string): string {
  return execFileSync(told("HILUM_E2E_BINARY"), [...args, "--data", told("HILUM_E2E_DATA")], {
    encoding: "utf8", stdio: ["pipe", "pipe", "ignore"], ...(input !== undefined && { input }),
  });
}

/** An account with these roles, whose password is the scene's. */
export function addAccount(login: string, roles: string[]) {
  hilum(["user", "add", login, "--password-stdin", ...roles.flatMap((role) => ["--role", role])], scene.password);
}

/** Synthetic patients as files, with their ground truth, in a folder that is gone afterwards. */
export async function withPhantom<Result>(args: string[], act: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), "hilum-e2e-"));
  try {
    execFileSync(told("HILUM_E2E_BINARY"), ["phantom", folder, ...args], { stdio: "ignore" });
    return await act(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
