import { flow, type Language } from "./harness";
import { scene } from "./scene";

const words = {
  ko: { by: "Peer(으)로 로그인", denied: "로그인 제공자가 허용하지 않았습니다.", none: "그 정보로 부여되는 역할이 없습니다", subject: "그곳에서의 식별자" },
  en: { by: "Sign in with Peer", denied: "The provider did not let you in.", none: "gives you no role here", subject: "Who you are there" },
};

interface Session {
  account: { login: string; name: string };
  institutions: { roles: string[] }[];
}

export const flows = [
  flow(
    "a provider signs somebody in and out again, and turns others away",
    async (visit) => {
      const { page } = visit;
      const at = (path: string) => page.waitForURL((url) => url.href.startsWith(`${scene.server}${path}`));
      /** To the provider, where somebody signs in under a name. */
      const go = async (language: Language, person: string) => {
        await page.getByRole("link", { name: words[language].by }).or(page.getByRole("button", { name: words[language].by })).click();
        await page.locator("input[name=person]").fill(person);
        await page.getByRole("button", { name: "Enter the peer" }).click();
      };
      const { language } = visit;
      await visit.open("/sign-in");
      await page.getByText(words[language].by).waitFor();
      await visit.look("openid-sign-in");
      await go(language, "nobody");
      await at("/sign-in#openid=openid_denied");
      await page.getByText(words[language].denied).waitFor();
      await visit.look("openid-denied");
      // Somebody whom the provider knows, and whom no role is for: it would know them still when they come again.
      await go(language, "visitors-1");
      await at("/sign-in#openid=openid_no_role");
      await page.getByText(words[language].none).waitFor();
      await page.context().clearCookies();

      await visit.open("/settings/tokens");
      await at("/sign-in");
      await go(language, "readers-1");
      // The page that was asked for, in a session that no other site began.
      await at("/settings/tokens");
      await visit.open("/settings/sign-in");
      await page.getByText("subject of readers-1").waitFor();
      await page.getByText(words[language].subject).waitFor();
      await visit.look("openid-identities");
      const session = await visit.ask<Session>("/api/v1/session");
      if (session.account.login !== "readers-1" || session.account.name !== "Name of readers-1") throw new Error(`signed in as ${session.account.login}`);
      const roles = session.institutions.flatMap((one) => one.roles).join();
      if (roles !== "viewer") throw new Error(`the roles are ${roles}`);
      await page.getByRole("button", { name: visit.says("Name of readers-1 계정", "Account of Name of readers-1") }).click();
      await page.getByRole("menuitem", { name: visit.says("로그아웃", "Sign out") }).click();
      await page.getByRole("button", { name: "Leave the peer" }).click();
      await at("/sign-in");
      const over = await page.context().request.get("/api/v1/session");
      if (over.status() !== 401) throw new Error(`the session goes on: ${over.status()}`);
    },
    { scene: "openid", languages: ["ko", "en"] },
  ),
];
