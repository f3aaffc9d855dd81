// Loads the flows (or `measure/main`), which are TypeScript, with the tool that builds the page: Node 20 reads none by itself.
import { fileURLToPath } from "node:url";
import { runnerImport } from "vite";

const root = fileURLToPath(new URL("..", import.meta.url));
const { module } = await runnerImport(`/e2e/${process.argv[2] ?? "main"}.ts`, { root, configFile: false, logLevel: "error" });
process.exit(await module.main());
