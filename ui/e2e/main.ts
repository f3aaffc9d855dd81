/// <reference types="vite/client" />
import { type Flow, play } from "./harness";
import { scene } from "./scene";

const files = import.meta.glob<{ flows: Flow[] }>("./*.e2e.ts", { eager: true });

/** Plays the flows of the scene whose names hold the text of HILUM_E2E_ONLY; 1 where one failed, or where there was none. */
export async function main(): Promise<number> {
  const only = process.env.HILUM_E2E_ONLY ?? "";
  const wanted = Object.values(files)
    .flatMap((file) => file.flows)
    .filter((flow) => flow.scene === scene.name && flow.name.includes(only));
  if (wanted.length === 0) {
    console.log(`no flow of the scene "${scene.name}" has "${only}" in its name`);
    return 1;
  }
  return play(wanted);
}
