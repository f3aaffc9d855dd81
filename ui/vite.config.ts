import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [react()],
  build: { target: "es2022", sourcemap: false, chunkSizeWarningLimit: 900 },
  // The roles in Rust are what a test compares ours with.
  server: { fs: { allow: [".."] }, proxy: { "/api": "http://127.0.0.1:8080", "/dicom-web": "http://127.0.0.1:8080" } },
  test: { environment: "jsdom", testTimeout: 60_000 },
});
