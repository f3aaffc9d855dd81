import { fileURLToPath } from "node:url";

import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const noJpegXl = fileURLToPath(new URL("./src/viewer/noJpegXl.ts", import.meta.url));

export default defineConfig({
  plugins: [react()],
  resolve: { alias: [{ find: /^@cornerstonejs\/codec-libjxl\/decodewasm(js)?$/, replacement: noJpegXl }] },
  build: { target: "es2022", sourcemap: false, chunkSizeWarningLimit: 3600 },
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
