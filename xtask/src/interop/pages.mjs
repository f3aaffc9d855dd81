// Opens pages in headless Chromium as somebody who signed in, over Chromium's debugging pipe: no package is needed.
//
// Arguments: the server's address, login, then for each page: its path, a file for its picture, a text that it must show.
// The password comes from the environment (HILUM_PASSWORD). Prints what went wrong and ends with 1, or nothing.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [server, login, ...pages] = process.argv.slice(2);
const profile = mkdtempSync(join(tmpdir(), "hilum-pages-"));
const chromium = spawn(
  "chromium",
  [
    "--headless", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-gpu", "--hide-scrollbars", "--window-size=1280,1700",
    "--remote-debugging-pipe", `--user-data-dir=${profile}`, "about:blank",
  ],
  { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] },
);

let number = 0;
const waiting = new Map();
let heard = "";
chromium.stdio[4].setEncoding("utf8").on("data", (text) => {
  heard += text;
  for (let end = heard.indexOf("\0"); end >= 0; end = heard.indexOf("\0")) {
    const message = JSON.parse(heard.slice(0, end));
    heard = heard.slice(end + 1);
    const answer = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.error) answer?.fail(new Error(message.error.message));
    else answer?.done(message.result);
  }
});

function ask(method, params = {}, sessionId = undefined) {
  number += 1;
  chromium.stdio[3].write(`${JSON.stringify({ id: number, method, params, sessionId })}\0`);
  return new Promise((done, fail) => waiting.set(number, { done, fail }));
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function until(what, check) {
  for (const end = Date.now() + 20_000; Date.now() < end; await pause(100)) {
    if (await check()) return;
  }
  throw new Error(`${what} within 20 s`);
}

async function main() {
  const { targetId } = await ask("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await ask("Target.attachToTarget", { targetId, flatten: true });
  const page = (method, params) => ask(method, params, sessionId);
  const value = async (expression) => {
    const { result, exceptionDetails } = await page("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
    return result.value;
  };
  await page("Page.enable");
  const open = async (path) => {
    await page("Page.navigate", { url: `${server}${path}` });
    await until(`${path} was not loaded`, () => value("document.readyState === 'complete'"));
  };
  await open("/");
  const type = async (name, text) => {
    const field = `document.querySelector("input[name=${name}]")`;
    await until(`the page to sign in has no ${name}`, () => value(`${field} !== null`));
    await value(`${field}.focus()`);
    await page("Input.insertText", { text });
  };
  await type("login", login);
  await type("password", process.env.HILUM_PASSWORD);
  const enter = { key: "Enter", code: "Enter", windowsVirtualKeyCode: 13 };
  await page("Input.dispatchKeyEvent", { type: "keyDown", text: "\r", ...enter });
  await page("Input.dispatchKeyEvent", { type: "keyUp", ...enter });
  await until("signing in did not open the page that was asked for", () => value("location.pathname === '/'"));
  for (let at = 0; at < pages.length; at += 3) {
    const [path, picture, text] = pages.slice(at, at + 3);
    await open(path);
    await until(`${path} does not show "${text}"`, () => value(`document.body.innerText.includes(${JSON.stringify(text)})`));
    // Pictures and charts come after the text.
    await until(`${path} does not come to rest`, () =>
      value("[...document.images].every((image) => image.complete) && document.getAnimations().every((one) => one.playState !== 'running' || one.effect?.getComputedTiming().iterations === Infinity)"),
    );
    await pause(300);
    if (await value("window.hilumHostile === true")) throw new Error(`${path} ran what stands in a DICOM text`);
    const { data } = await page("Page.captureScreenshot", { format: "png" });
    writeFileSync(picture, Buffer.from(data, "base64"));
  }
}

let code = 0;
try {
  await main();
} catch (error) {
  console.log(error.message);
  code = 1;
}
// Closed in order its processes are gone before it is; killed, they may still write into the profile.
const gone = new Promise((done) => chromium.once("exit", done));
if (chromium.exitCode === null) {
  ask("Browser.close").catch(() => chromium.kill());
  await Promise.race([gone, pause(5_000).then(() => chromium.kill("SIGKILL"))]);
}
try {
  rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
} catch {
  // What is left in the folder for temporary files says nothing of the pages.
}
process.exit(code);
