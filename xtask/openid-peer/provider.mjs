// oidc-provider on loopback, as a hospital's sign-in: anybody signs in under any name, and is in the group that the name says.
//
// Arguments: its port, our address. The client's secret comes from the environment (HILUM_OPENID_SECRET). Its pages are our own and
// plain: those that come with it ask the Internet for a font.

import { createServer } from "node:http";

import Provider from "oidc-provider";

const [port, hilum] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;

const page = (body) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>Peer</title><body>${body}</body></html>`;

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "hilum",
      client_secret: process.env.HILUM_OPENID_SECRET,
      redirect_uris: [`${hilum}/api/v1/openid/peer/callback`],
      post_logout_redirect_uris: [`${hilum}/sign-in`],
      grant_types: ["authorization_code"],
      response_types: ["code"],
    },
  ],
  pkce: { required: () => true },
  // Claims stand in the ID token.
  conformIdTokenClaims: false,
  claims: { openid: ["sub"], profile: ["name", "preferred_username", "groups"] },
  findAccount: (_, accountId) => {
    const login = accountId.replace("subject of ", "");
    const groups = ["staff", login.split("-")[0]];
    return { accountId, claims: () => ({ sub: accountId, name: `Name of ${login}`, preferred_username: login, groups }) };
  },
  interactions: { url: (_, { uid }) => `/interaction/${uid}` },
  features: {
    devInteractions: { enabled: false },
    rpInitiatedLogout: {
      enabled: true,
      logoutSource: (ctx, form) => {
        ctx.body = page(`${form}<button type="submit" form="op.logoutForm" name="logout" value="yes">Leave the peer</button>`);
      },
    },
  },
  cookies: { keys: ["only for folders that are gone soon"] },
});

/** Who signs in agrees to everything, in one go. */
async function interaction(request, response) {
  const { params } = await provider.interactionDetails(request, response);
  if (request.method !== "POST") {
    response.setHeader("content-type", "text/html");
    response.end(page('<form method="post"><input name="person"><button type="submit">Enter the peer</button></form>'));
    return;
  }
  let body = "";
  for await (const chunk of request) body += chunk;
  const person = new URLSearchParams(body).get("person");
  if (person === "nobody") {
    await provider.interactionFinished(request, response, { error: "access_denied", error_description: "not today" });
    return;
  }
  const accountId = `subject of ${person}`;
  const grant = new provider.Grant({ accountId, clientId: params.client_id });
  grant.addOIDCScope("openid profile");
  const grantId = await grant.save();
  await provider.interactionFinished(request, response, { login: { accountId }, consent: { grantId } }, { mergeWithLastSubmission: false });
}

const callback = provider.callback();
createServer((request, response) => {
  if (!request.url.startsWith("/interaction/")) {
    callback(request, response);
    return;
  }
  interaction(request, response).catch((error) => {
    response.statusCode = 500;
    response.end(String(error));
  });
}).listen(Number(port), "127.0.0.1");
