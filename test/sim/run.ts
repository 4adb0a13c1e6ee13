/** `npm run sim -- --minutes 5 [--first 1]`: plays seed after seed until the time is over; ends at the first violation. */
import { parseArgs } from "node:util";
import { Simulation } from "./simulation.ts";

const { values } = parseArgs({ options: { minutes: { type: "string", default: "1" }, first: { type: "string", default: "1" } } });
const until = performance.now() + Number(values.minutes) * 60_000;
let seed = Number(values.first);
let steps = 0;
for (; performance.now() < until; seed++) {
  const simulation = new Simulation(seed);
  const violations = await simulation.play().catch((error) => [String(error)]);
  steps += simulation.world.trace.length;
  if (violations.length > 0) {
    console.error(`seed ${seed}: ${violations.join("; ")}\nonce more: npm run sim -- --first ${seed} --minutes 0.01`);
    console.error(simulation.world.trace.slice(-40).join("\n"));
    process.exit(1);
  }
  if (process.stderr.isTTY && seed % 50 === 0) process.stderr.write(`\r${seed} seeds, ${steps} steps`);
}
console.log(`${seed - Number(values.first)} seeds, ${steps} steps, no violation`);
