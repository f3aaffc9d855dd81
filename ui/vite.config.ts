import { fileURLToPath } from "node:url";

import react from "@vitejs/plugin-react";
import { marked } from "marked";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const noJpegXl = fileURLToPath(new URL("./src/viewer/noJpegXl.ts", import.meta.url));

/** The user guide's pages: Markdown becomes HTML when the interface is built, so that no reader of Markdown is sent along. */
function guide(): Plugin {
  return {
    name: "hilum-user-guide",
    enforce: "pre",
    async transform(text, id) {
      if (!id.split("?")[0]?.endsWith(".md")) return null;
      const html = await marked.parse(text);
      // Pictures are named by their content, as every other file that is built.
      const pictures = [...new Set(html.match(/(?<=src=")\.\.\/images\/[^"]+/g) ?? [])];
      const imports = pictures.map((path, index) => `import picture${index} from ${JSON.stringify(path)};\n`).join("");
      const placed = pictures.map((path, index) => `.replaceAll(${JSON.stringify(path)}, picture${index})`).join("");
      return { code: `${imports}export default ${JSON.stringify(html)}${placed};`, map: null };
    },
  };
}

export default defineConfig({
  plugins: [guide(), react()],
  resolve: { alias: [{ find: /^@cornerstonejs\/codec-libjxl\/decodewasm(js)?$/, replacement: noJpegXl }] },
  build: { target: "es2022", sourcemap: false, chunkSizeWarningLimit: 700 },
  worker: { format: "es" },
  // Without these the worker that decodes images hangs in `vite dev`: the codecs are CommonJS.
  optimizeDeps: {
    include: [
      "@cornerstonejs/codec-charls/decodewasmjs", "@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs", "@cornerstonejs/codec-openjpeg/decodewasmjs",
      "@cornerstonejs/codec-openjph/wasmjs", "@cornerstonejs/jpeg-lossless-decoder-js", "pako", "comlink", "dicom-parser",
    ],
  },
  // The roles in Rust are what a test compares ours with.
  server: { fs: { allow: [".."] }, proxy: { "/api": "http://127.0.0.1:8080", "/dicom-web": "http://127.0.0.1:8080" } },
  test: { environment: "jsdom", testTimeout: 60_000 },
});
