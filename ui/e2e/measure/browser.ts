import { type Browser, type BrowserContext, type Page } from "playwright-core";

import { launch } from "../harness";
import { scene } from "../scene";

/** One value of one run, beside the limit of the same run where there is one. */
export interface Sample {
  row: string;
  value: number;
  limit?: number;
}

/** What a measured browser begins with: somebody is signed in, and nothing was fetched. */
export interface Measured {
  browser: Browser;
  /** A window with an empty cache, whose pages run `watch` before anything else. */
  begin: (watch?: () => void) => Promise<{ context: BrowserContext; page: Page }>;
  end: () => Promise<void>;
}

export async function measured(): Promise<Measured> {
  // A browser without a GPU puts pages together itself. Told to take SwiftShader for one, it lets that copy every canvas, which takes longer than all drawing.
  const browser = await launch("--disable-gpu-compositing");
  const settings = { baseURL: scene.server, viewport: { width: 1440, height: 900 }, locale: "en", reducedMotion: "reduce", timezoneId: "Asia/Seoul" } as const;
  const entrance = await browser.newContext(settings);
  const door = await entrance.newPage();
  await door.goto("/");
  await door.locator("input[name=login]").fill(scene.login);
  await door.locator("input[name=password]").fill(scene.password);
  await door.keyboard.press("Enter");
  await door.waitForURL((url) => url.pathname !== "/sign-in");
  const storageState = await entrance.storageState();
  await entrance.close();
  return {
    browser,
    begin: async (watch) => {
      const context = await browser.newContext({ ...settings, storageState });
      context.setDefaultTimeout(180_000);
      await context.addInitScript(() => localStorage.setItem("hilum.language", "en"));
      if (watch) await context.addInitScript(watch);
      const page = await context.newPage();
      const wrong = (what: string) => {
        console.error(`the measurement means nothing: ${what}`);
        process.exit(1);
      };
      page.on("pageerror", (error) => wrong(error.message));
      page.on("crash", () => wrong("the page crashed"));
      return { context, page };
    },
    end: () => browser.close(),
  };
}

/** A page of the server's origin with nothing in it, to measure what this browser takes for that alone. */
export async function bare(context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  await page.route("**/bare", (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html><title>bare</title>" }));
  await page.goto("/bare");
  // As long as requests are looked at, none is as fast as it could be.
  await page.unrouteAll();
  return page;
}

/** What a page asks for, so that a bare one can ask the same. */
export interface Asked {
  path: string;
  accept: string;
  /** Of a POST. */
  body?: string;
}

const frames = "application/octet-stream; transfer-syntax=*";
export const asked = (path: string): Asked => ({
  path, accept: path.includes("/frames/") ? frames : path.endsWith("/metadata") ? "application/dicom+json" : "*/*",
});

/** Milliseconds to fetch all of it, at most six at a time as browsers do with HTTP/1.1; `hold` keeps what came. */
export function fetchAll(page: Page, all: Asked[], hold = false): Promise<number> {
  return page.evaluate(
    async ([wanted, keep]) => {
      const { csrf } = (await (await fetch("/api/v1/session")).json()) as { csrf: string };
      const kept: ArrayBuffer[] = [];
      Object.assign(window, { hilumKept: kept });
      const waiting = [...wanted];
      const fetchOn = async () => {
        for (let next = waiting.shift(); next; next = waiting.shift()) {
          const posted = next.body !== undefined && { method: "POST", body: next.body, headers: { Accept: next.accept, "Content-Type": "application/json", "X-Hilum-Csrf": csrf } };
          const answer = await fetch(next.path, { headers: { Accept: next.accept }, cache: "no-store", ...posted });
          if (!answer.ok) throw new Error(`${next.path} answered ${answer.status}`);
          const bytes = await answer.arrayBuffer();
          if (keep) kept.push(bytes);
        }
      };
      const start = performance.now();
      await Promise.all(Array.from({ length: 6 }, fetchOn));
      return performance.now() - start;
    },
    [all, hold] as const,
  );
}

/** What a page draws in frame `at`. */
interface Drawing {
  hilumDraw: (at: number) => void;
}

/** Milliseconds of each frame of a loop that draws what the page was told to, once it is warm. */
function timed(page: Page, count: number): Promise<number[]> {
  return page.evaluate(async (wanted) => {
    const { hilumDraw } = window as unknown as Drawing;
    const times: number[] = [];
    let before = 0;
    for (let at = -10; at <= wanted; at += 1) {
      const now = await new Promise<number>((done) => requestAnimationFrame(() => done(performance.now())));
      if (at > 0) times.push(now - before);
      before = now;
      hilumDraw(at);
    }
    return times;
  }, count);
}

/** Milliseconds of each frame of a page in which nothing changes but the colour of its whole. */
export async function emptyFrames(page: Page, count: number): Promise<number[]> {
  await page.evaluate(() => {
    const hilumDraw = (at: number) => {
      document.body.style.background = at % 2 ? "black" : "gray";
    };
    Object.assign(window, { hilumDraw } satisfies Drawing);
  });
  return timed(page, count);
}

/**
 * Milliseconds of each frame of a loop that draws another picture of 512x512 numbers on a canvas of this size and copies it into the page: one texture, windowed, with the
 * shortest shader that does it.
 */
export async function bareFrames(page: Page, width: number, height: number, count: number): Promise<number[]> {
  await page.evaluate(
    ([columns, rows]) => {
      const [drawn, shown] = [new OffscreenCanvas(columns, rows), document.createElement("canvas")];
      Object.assign(shown, { width: columns, height: rows });
      document.body.replaceChildren(shown);
      const gl = drawn.getContext("webgl2", { antialias: false });
      const flat = shown.getContext("2d");
      if (!gl || !flat || !gl.getExtension("OES_texture_float_linear")) throw new Error("this browser does not draw");
      const program = gl.createProgram();
      const shaders: [number, string][] = [
        [gl.VERTEX_SHADER, "out vec2 at; void main() { at = vec2(gl_VertexID & 1, gl_VertexID >> 1); gl_Position = vec4(at * 2.0 - 1.0, 0.0, 1.0); }"],
        [gl.FRAGMENT_SHADER, "in vec2 at; uniform sampler2D image; out vec4 color; void main() { color = vec4(vec3(texture(image, at).r / 400.0 + 0.35), 1.0); }"],
      ];
      for (const [kind, source] of shaders) {
        const shader = gl.createShader(kind);
        if (!shader) throw new Error("no shader");
        gl.shaderSource(shader, `#version 300 es\nprecision highp float; ${source}`);
        gl.compileShader(shader);
        gl.attachShader(program, shader);
      }
      gl.linkProgram(program);
      if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program) ?? "no program");
      gl.useProgram(program);
      gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
      for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, side, gl.CLAMP_TO_EDGE);
      for (const way of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, way, gl.LINEAR);
      const picture = new Float32Array(512 * 512).map((_, index) => (index % 512) - 256);
      const hilumDraw = (at: number) => {
        picture[at + 20] = at;
        gl.texImage2D(gl.TEXTURE_2D, 0, gl.R32F, 512, 512, 0, gl.RED, gl.FLOAT, picture);
        gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
        flat.drawImage(drawn, 0, 0);
      };
      hilumDraw(0);
      if (gl.getError() !== gl.NO_ERROR) throw new Error("the bare picture was not drawn");
      Object.assign(window, { hilumDraw } satisfies Drawing);
    },
    [width, height] as const,
  );
  return timed(page, count);
}

/** The value below which a share of the values lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(at)] ?? NaN, sorted[Math.ceil(at)] ?? NaN];
  return low + (high - low) * (at - Math.floor(at));
}

export interface Listed {
  study_uid: string;
  patient: { id: string };
  instance_count: number;
  reading: { state: string; stone_count: number | null };
}

/** The studies of the list, as the signed-in window sees them. */
export async function listed(context: BrowserContext): Promise<Listed[]> {
  const { request } = context;
  const { csrf } = (await (await request.get("/api/v1/session")).json()) as { csrf: string };
  const answer = await request.post("/api/v1/studies/search", { headers: { "X-Hilum-Csrf": csrf }, data: { limit: 200 } });
  if (!answer.ok()) throw new Error(`the list answered ${answer.status()}`);
  return ((await answer.json()) as { items: Listed[] }).items;
}

/** The synthetic patient whose seed is the number of its images. */
export async function studyOf(context: BrowserContext, images: number): Promise<Listed> {
  const found = (await listed(context)).find(({ patient }) => patient.id === `SYN-${String(images).padStart(6, "0")}`);
  if (!found) throw new Error(`no study of ${images} images is in the list`);
  return found;
}
