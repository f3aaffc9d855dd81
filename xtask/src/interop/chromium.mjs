// Headless Chromium over its debugging pipe: no package is needed. What goes wrong is printed, and ends the process with 1.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

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

export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

export async function until(what, check) {
  let last = "";
  for (const end = Date.now() + 20_000; Date.now() < end; await pause(100)) {
    try {
      if (await check()) return;
    } catch (error) {
      // A page that is on its way to another one answers nothing.
      last = `: ${error.message}`;
    }
  }
  throw new Error(`${what} within 20 s${last}`);
}

/** A page of its own, and what is done with it. */
class Page {
  constructor(sessionId) {
    this.sessionId = sessionId;
  }

  ask(method, params) {
    return ask(method, params, this.sessionId);
  }

  /** What an expression is in the page. */
  async value(expression) {
    const { result, exceptionDetails } = await this.ask("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
    return result.value;
  }

  async open(address) {
    await this.ask("Page.navigate", { url: address });
    await until(`${address} was not loaded`, () => this.value("document.readyState === 'complete'"));
  }

  /** Types into the field of a name. */
  async type(name, text) {
    const field = `document.querySelector("input[name=${name}]")`;
    await until(`the page has no ${name}`, () => this.value(`${field} !== null`));
    await this.value(`${field}.focus()`);
    await this.ask("Input.insertText", { text });
  }

  async enter() {
    const key = { key: "Enter", code: "Enter", windowsVirtualKeyCode: 13 };
    await this.ask("Input.dispatchKeyEvent", { type: "keyDown", text: "\r", ...key });
    await this.ask("Input.dispatchKeyEvent", { type: "keyUp", ...key });
  }

  async shows(text) {
    const what = `${await this.value("location.pathname")} does not show "${text}"`;
    await until(what, () => this.value(`document.body.innerText.includes(${JSON.stringify(text)})`));
  }

  /** Presses the button, link or item of a menu that says so. */
  async press(text) {
    const found = `[...document.querySelectorAll("button, a, [role=menuitem]")].find((one) => one.innerText.trim() === ${JSON.stringify(text)} || one.ariaLabel === ${JSON.stringify(text)})`;
    await until(`there is no "${text}" to press`, () => this.value(`${found} !== undefined`));
    await this.value(`${found}.click()`);
  }

  /** A picture, once everything has come to rest. */
  async picture(file) {
    await until("the page does not come to rest", () =>
      this.value("[...document.images].every((image) => image.complete) && document.getAnimations().every((one) => one.playState !== 'running' || one.effect?.getComputedTiming().iterations === Infinity)"),
    );
    await pause(300);
    const { data } = await this.ask("Page.captureScreenshot", { format: "png" });
    writeFileSync(file, Buffer.from(data, "base64"));
  }
}

async function newPage() {
  const { targetId } = await ask("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await ask("Target.attachToTarget", { targetId, flatten: true });
  const page = new Page(sessionId);
  await page.ask("Page.enable");
  return page;
}

/** Does something with a page, then closes everything and ends the process. */
export async function browse(main) {
  let code = 0;
  try {
    await main(await newPage());
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
}
