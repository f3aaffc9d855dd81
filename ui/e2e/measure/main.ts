import { measured, type Measured, type Sample } from "./browser";
import { list } from "./list";
import { memory } from "./memory";
import { opening } from "./opening";
import { scrolling } from "./scrolling";

const parts: Record<string, (begun: Measured) => Promise<Sample[]>> = { opening, scrolling, list };

/** Measures the part of HILUM_MEASURE_PART as often as HILUM_MEASURE_RUNS says, and prints each value as a line of JSON. */
export async function main(): Promise<number> {
  const name = process.env.HILUM_MEASURE_PART ?? "";
  const part = parts[name];
  if (!part && name !== "memory") {
    console.error(`nothing is called ${name}: opening, scrolling, memory, list`);
    return 1;
  }
  const begun = part ? await measured() : null;
  // What the first one finds is cold in the server and on the disk; it is not counted.
  for (let run = part ? -1 : 0; run < Number(process.env.HILUM_MEASURE_RUNS ?? "1"); run += 1) {
    const samples = part && begun ? await part(begun) : await memory();
    for (const sample of samples) {
      console.error(`${run < 0 ? "warming up" : `run ${run}`}: ${sample.row} ${sample.value.toFixed(1)}${sample.limit === undefined ? "" : `, limit ${sample.limit.toFixed(1)}`}`);
      if (run >= 0) console.log(JSON.stringify(sample));
    }
  }
  await begun?.end();
  return 0;
}
