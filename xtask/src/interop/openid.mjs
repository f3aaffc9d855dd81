// Signs in by an OpenID provider in headless Chromium, the whole way, and out again.
//
// Arguments: the server's address, a folder for pictures. Prints what went wrong and ends with 1, or nothing.

import { browse, until } from "./chromium.mjs";

const [server, pictures] = process.argv.slice(2);
const words = {
  ko: { by: "Peer(으)로 로그인", denied: "로그인 제공자가 허용하지 않았습니다.", none: "그 정보로 부여되는 역할이 없습니다", page: "로그인 제공자", subject: "그곳에서의 식별자" },
  en: { by: "Sign in with Peer", denied: "The provider did not let you in.", none: "gives you no role here", page: "Sign-in providers", subject: "Who you are there" },
};

await browse(async (page) => {
  const at = async (path) => {
    const there = async () => (await page.value("location.href")).startsWith(`${server}${path}`);
    await until(`the browser did not come to ${path}`, there).catch(async (error) => {
      throw new Error(`${error.message}; it is at ${await page.value("location.href + ': ' + document.body.innerText")}`);
    });
  };
  /** The language stays, also over the way to the provider and back. */
  const choose = (language) => page.value(`localStorage.setItem("hilum.language", "${language}")`);
  /** To the provider, where somebody signs in under a name. */
  const go = async (language, login) => {
    await page.press(words[language].by);
    await page.type("person", login);
    await page.press("Enter the peer");
  };
  for (const language of ["ko", "en"]) {
    await page.open(`${server}/healthz`);
    await choose(language);
    await page.open(`${server}/sign-in`);
    await page.shows(words[language].by);
    await page.picture(`${pictures}/openid-sign-in-${language}.png`);
    await go(language, "nobody");
    await at("/sign-in#openid=openid_denied");
    await page.shows(words[language].denied);
    await page.picture(`${pictures}/openid-denied-${language}.png`);
  }
  // Somebody whom the provider knows, and whom no role is for: it would know them still when they come again.
  await go("en", "visitors-1");
  await at("/sign-in#openid=openid_no_role");
  await page.shows(words.en.none);
  await page.ask("Network.clearBrowserCookies");

  await page.open(`${server}/settings/tokens`);
  await at("/sign-in");
  await page.press(words.en.by);
  await page.type("person", "readers-1");
  await page.press("Enter the peer");
  // The page that was asked for, in a session that no other site began.
  await at("/settings/tokens");
  await page.shows("API tokens");
  for (const language of ["ko", "en"]) {
    await choose(language);
    await page.open(`${server}/settings/sign-in`);
    await page.shows("subject of readers-1");
    await page.shows(words[language].subject);
    await page.picture(`${pictures}/openid-identities-${language}.png`);
  }
  const session = await page.value("fetch('/api/v1/session').then((answer) => answer.json())");
  if (session.account.login !== "readers-1" || session.account.name !== "Name of readers-1") throw new Error(`signed in as ${session.account.login}`);
  const roles = session.institutions.flatMap((one) => one.roles).join();
  if (roles !== "viewer") throw new Error(`the roles are ${roles}`);
  await page.press("Account of Name of readers-1");
  await page.press("Sign out");
  await page.press("Leave the peer");
  await at("/sign-in");
  const over = await page.value("fetch('/api/v1/session').then((answer) => answer.status)");
  if (over !== 401) throw new Error(`the session goes on: ${over}`);
});
