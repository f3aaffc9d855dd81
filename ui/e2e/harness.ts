import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";

import { readPng, writeSmallPng } from "./png";
import { scene } from "./scene";

export type Language = "ko" | "en";

/** What somebody does with the pages, and what they see of it. */
export interface Flow {
  name: string;
  scene: string;
  languages: Language[];
  /** Complaints of the browser that this flow causes on purpose. */
  expected: RegExp[];
  act: (visit: Visit) => Promise<string | void>;
}

export function flow(name: string, act: Flow["act"], more: Partial<Omit<Flow, "name" | "act">> = {}): Flow {
  return { name, scene: "demo", languages: ["en"], expected: [], act, ...more };
}

/** As software rendering needs it, and without a word to anybody but the server. */
const flags = [
  "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--force-color-profile=srgb",
];

const axe = readFileSync(createRequire(join(process.cwd(), "package.json")).resolve("axe-core/axe.min.js"), "utf8");

/**
 * Whoever is not signed in yet is told so by the server, and the browser notes every answer that is no success. It asks each origin for a picture of its
 * own, also a provider that has none.
 */
const always = [/status of 401 .*\/api\/v1\/session\b/, /status of 404 .*\/favicon\.ico\b/];

const patience = Number(process.env.HILUM_E2E_PATIENCE_MS ?? 60_000);

/** A browser of its own, with nothing in it, and who looks out for what goes wrong in it. */
export class Visit {
  readonly complaints: string[] = [];

  private constructor(
    readonly page: Page,
    readonly language: Language,
  ) {}

  static async begin(browser: Browser, language: Language, expected: RegExp[]): Promise<Visit> {
    const context = await browser.newContext({
      baseURL: scene.server, viewport: { width: 1440, height: 900 }, locale: language, reducedMotion: "reduce", timezoneId: "Asia/Seoul",
    });
    context.setDefaultTimeout(patience);
    await context.addInitScript((chosen) => {
      localStorage.setItem("hilum.language", chosen);
      addEventListener("securitypolicyviolation", (event) =>
        console.error(`content security policy: ${event.violatedDirective} blocked ${event.blockedURI}`),
      );
    }, language);
    const page = await context.newPage();
    const visit = new Visit(page, language);
    const complain = (text: string) => {
      if (![...always, ...expected].some((one) => one.test(text))) visit.complaints.push(text);
    };
    page.on("console", (message) => {
      if (message.type() === "error") complain(`console: ${message.text()} (${message.location().url})`);
    });
    page.on("pageerror", (error) => complain(`error in the page: ${error.message}`));
    page.on("crash", () => complain("the page crashed"));
    page.on("request", (request) => {
      const { protocol, hostname } = new URL(request.url());
      if (protocol.startsWith("http") && hostname !== "127.0.0.1" && hostname !== "localhost") complain(`asked somebody else: ${request.url()}`);
    });
    page.on("response", (response) => {
      if (response.status() >= 500) complain(`${response.status()} for ${response.request().method()} ${response.url()}`);
    });
    return visit;
  }

  async end() {
    await this.page.context().close();
  }

  /** One of two texts, by the language of the visit. */
  says<Text>(ko: Text, en: Text): Text {
    return this.language === "ko" ? ko : en;
  }

  async open(path: string) {
    await this.page.goto(path);
  }

  /** Signs in on whichever page asks for it. */
  async signIn(login = scene.login, password = scene.password) {
    const { page } = this;
    if (page.url() === "about:blank") await page.goto("/");
    await page.locator("input[name=login]").fill(login);
    await page.locator("input[name=password]").fill(password);
    await page.keyboard.press("Enter");
    await page.waitForURL((url) => url.pathname !== "/sign-in");
  }

  /** What the server answers to this visit's session. */
  async ask<Answer>(path: string, init?: { method: string; body?: unknown }): Promise<Answer> {
    const { request } = this.page.context();
    const changes = init !== undefined && init.method !== "GET";
    const proof = changes ? ((await (await request.get("/api/v1/session")).json()) as { csrf: string }).csrf : undefined;
    const answer = await request.fetch(path, {
      method: init?.method ?? "GET", ...(proof && { headers: { "X-Hilum-Csrf": proof } }), ...(init?.body !== undefined && { data: init.body }),
    });
    if (!answer.ok()) throw new Error(`${path} answered ${answer.status()}: ${await answer.text()}`);
    return (await answer.json()) as Answer;
  }

  /** Waits until something is so. */
  async until(what: string, check: () => Promise<boolean>, limit = patience) {
    let last = "";
    for (const end = Date.now() + limit; Date.now() < end; await new Promise((done) => setTimeout(done, 150))) {
      try {
        if (await check()) return;
      } catch (error) {
        last = `: ${String(error)}`;
      }
    }
    throw new Error(`${what} within ${limit / 1000} s${last}`);
  }

  private async atRest() {
    const { page } = this;
    await page.evaluate(() => document.fonts.ready);
    await page.waitForFunction(() => [...document.images].every((image) => image.complete));
    await page.waitForTimeout(300);
    // Of colours on their way: what turns for ever (a loader) is at rest as well.
    await page.waitForFunction(() => document.getAnimations().every((one) => one.playState !== "running" || one.effect?.getComputedTiming().iterations === Infinity));
  }

  /** A picture for people, once everything has come to rest. */
  async look(name: string) {
    await this.atRest();
    if (scene.pictures) await this.page.screenshot({ path: join(scene.pictures, `${name}-${this.language}.png`) });
  }

  /** A picture of the user guide: small, and in a folder of its language. */
  async illustrate(name: string) {
    await this.atRest();
    if (!scene.pictures) return;
    const folder = join(scene.pictures, this.language);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${name}.png`), writeSmallPng(readPng(await this.page.screenshot())));
  }

  /** WCAG 2.2 A and AA as far as axe can tell; a finding is an error that names the element. */
  async accessible(what: string) {
    await this.page.evaluate(axe);
    // A button that becomes usable while axe looks is seen half in one state: what a page at rest shows again counts.
    const found = (await this.violations()).length > 0 ? await this.violations() : [];
    if (found.length > 0) throw new Error(`axe on ${what}: ${found.join("\n  ")}`);
  }

  private async violations() {
    await this.atRest();
    return this.page.evaluate(async () => {
      type Violation = { id: string; help: string; nodes: { target: string[]; failureSummary: string }[] };
      const { axe } = window as unknown as { axe: { run: (where: Document, options: object) => Promise<{ violations: Violation[] }> } };
      const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
      // Experimental in axe, and takes the arrow of a menu for a word.
      const rules = { "label-content-name-mismatch": { enabled: false } };
      const { violations } = await axe.run(document, { runOnly: { type: "tag", values: tags }, rules });
      return violations.map(({ id, help, nodes }) => `${id} (${help}): ${nodes.map((node) => `${node.target.join(" ")} ${node.failureSummary}`).join("; ")}`);
    });
  }
}

/** A browser. One that crashes before any page is open (seen once in some hundred starts) says nothing about Hilum, and is started again, once. */
export async function launch(...more: string[]): Promise<Browser> {
  const start = () => chromium.launch({ executablePath: "/usr/bin/chromium", args: [...flags, ...more], headless: true });
  return start().catch((error: unknown) => {
    console.log(`a browser ended at its start and is started again: ${String(error).split("\n")[0]}`);
    return start();
  });
}

/** Plays the flows one after the other, each in each of its languages; 1 where one failed. */
export async function play(flows: Flow[]): Promise<number> {
  const browser = await launch();
  let failed = 0;
  try {
    for (const one of flows) {
      for (const language of one.languages) {
        const name = `${one.name} (${language})`;
        const started = Date.now();
        const visit = await Visit.begin(browser, language, one.expected);
        try {
          const said = await one.act(visit);
          if (visit.complaints.length > 0) throw new Error(visit.complaints.join("\n  "));
          console.log(`ok      ${name}${said ? `: ${said}` : ""} [${((Date.now() - started) / 1000).toFixed(1)} s]`);
        } catch (error) {
          failed += 1;
          const reason = error instanceof Error ? error.message : String(error);
          console.log(`FAILED  ${name}: ${reason}\n  at ${visit.page.url()}${visit.complaints.map((text) => `\n  ${text}`).join("")}`);
          await visit.look(`failed-${one.name.replace(/\W+/g, "-")}`).catch(() => undefined);
        } finally {
          await visit.end();
        }
      }
    }
  } finally {
    await browser.close();
  }
  return failed > 0 ? 1 : 0;
}
