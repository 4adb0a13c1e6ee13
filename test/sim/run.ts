/**
 * `npm run sim -- [--of log] --minutes 5 [--first 1] [--seeds 10000]`: plays seed after seed in two processes until the time is over or
 * so many were played; ends at the first violation. `--seed 17` plays one seed and prints its steps. Of: log, groups, share, transactions.
 * A seed of the log is made as small as it can be, and `--seed` takes `[--without few,late] [--scale 0.2]` for it.
 */
import { fork } from "node:child_process";
import { parseArgs } from "node:util";
import { type Bounds, EVERYTHING, PARTS, type Part, replayCommand, shrink } from "./bounds.ts";
import { GroupSimulation } from "./groups/simulation.ts";
import { ShareSimulation } from "./share/simulation.ts";
import { Simulation } from "./simulation.ts";
import { TransactionSimulation } from "./transactions/simulation.ts";
import type { World } from "./world.ts";

const PROCESSES = 2;
const SAY_EVERY_MS = 10_000;
const { values } = parseArgs({
  options: {
    of: { type: "string", default: "log" },
    minutes: { type: "string", default: "1" },
    first: { type: "string", default: "1" },
    seeds: { type: "string", default: "Infinity" },
    seed: { type: "string" },
    without: { type: "string", default: "" },
    scale: { type: "string", default: "1" },
    worker: { type: "string" },
  },
});

interface Playable {
  readonly world: World;
  readonly digest: string;
  play(): Promise<string[]>;
}

const OF: Readonly<Record<string, (seed: number, bounds: Bounds) => Playable>> = {
  log: (seed, bounds) => new Simulation(seed, undefined, bounds),
  groups: (seed) => new GroupSimulation(seed),
  share: (seed) => new ShareSimulation(seed),
  transactions: (seed) => new TransactionSimulation(seed),
};
const simulationOf = OF[values.of] ?? refuse(`--of takes ${Object.keys(OF).join(", ")}; ${values.of} given`);

if (values.seed !== undefined) await playOne(Number(values.seed), boundsAsked());
else if (values.worker !== undefined) await work(Number(values.worker));
else await playMany();

function refuse(message: string): never {
  console.error(message);
  process.exit(2);
}

function boundsAsked(): Bounds {
  const without = values.without.split(",").filter((part) => part !== "");
  const unknown = without.find((part) => !PARTS.includes(part as Part));
  if (unknown !== undefined) refuse(`--without takes ${PARTS.join(", ")}; ${unknown} given`);
  return { scale: Number(values.scale), without: without as Part[] };
}

async function playOne(seed: number, bounds: Bounds): Promise<void> {
  const simulation = simulationOf(seed, bounds);
  const violations = await simulation.play();
  console.log(simulation.world.trace.join("\n"));
  console.log(`${simulation.world.trace.length} steps, history ${simulation.digest}`);
  for (const violation of violations) console.log(`VIOLATION ${violation}`);
  process.exitCode = violations.length > 0 ? 1 : 0;
}

interface Told {
  readonly played: number;
  readonly steps: number;
  readonly failure?: string;
}

/** Every second seed from `first` on. */
async function work(first: number): Promise<void> {
  const until = performance.now() + Number(values.minutes) * 60_000;
  const tell = (told: Told): Promise<void> => new Promise((resolve) => process.send?.(told, () => resolve()));
  const end = Number(values.first) + Number(values.seeds);
  for (let seed = first; performance.now() < until && seed < end; seed += PROCESSES) {
    const simulation = simulationOf(seed, EVERYTHING);
    const violations = await simulation.play();
    const played = { played: 1, steps: simulation.world.trace.length };
    if (violations.length === 0) await tell(played);
    else if (values.of !== "log") {
      await tell({
        ...played,
        failure: `seed ${seed}: ${violations[0]}\nonce more: npm run sim -- --of ${values.of} --seed ${seed}`,
      });
      break;
    } else {
      const bounds = await shrink(EVERYTHING, async (smaller) => (await simulationOf(seed, smaller).play()).length > 0);
      const least = simulationOf(seed, bounds);
      const why = await least.play();
      await tell({
        ...played,
        failure: `seed ${seed}: ${violations[0]}\nin the smallest way found: ${why[0]} (${least.world.trace.length} steps)\nonce more: ${replayCommand(seed, bounds)}`,
      });
      break;
    }
  }
  process.disconnect();
}

async function playMany(): Promise<void> {
  let [played, steps] = [0, 0];
  const beganMs = performance.now();
  const failures: string[] = [];
  const say = setInterval(() => {
    const seconds = Math.round((performance.now() - beganMs) / 1000);
    console.error(`${seconds} s: ${played} seeds, ${steps} steps`);
  }, SAY_EVERY_MS);
  const codes = await Promise.all(
    Array.from({ length: PROCESSES }, async (_, i) => {
      const first = Number(values.first) + i;
      const child = fork(import.meta.filename, [...process.argv.slice(2), "--worker", String(first)]);
      child.on("message", (told: Told) => {
        played += told.played;
        steps += told.steps;
        if (told.failure !== undefined) failures.push(told.failure);
      });
      return new Promise<number | null>((resolve) => child.on("exit", resolve));
    }),
  );
  clearInterval(say);
  for (const failure of failures) console.error(failure);
  const seconds = Math.round((performance.now() - beganMs) / 1000);
  console.log(`${played} seeds, ${steps} steps, ${failures.length} violations, ${seconds} s`);
  process.exit(failures.length > 0 || codes.some((code) => code !== 0) ? 1 : 0);
}
