import { expect, test } from "vitest";
import { ShareSimulation } from "./simulation.ts";

const SEEDS = Number(process.env["SIM_SEEDS"] ?? 60);
const FIRST = Number(process.env["SIM_FIRST"] ?? 1);

test(`a queue in a storm, ${SEEDS} seeds: none lost, none again after its acknowledgement, one holder, counts without a gap`, {
  timeout: 600_000,
}, async () => {
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const once = `seed ${seed}; once more: SIM_FIRST=${seed} SIM_SEEDS=1 npx vitest run test/sim/share/share.test.ts`;
    expect(await new ShareSimulation(seed).play(), once).toEqual([]);
  }
});

test("one seed has one history", async () => {
  const digests: string[] = [];
  for (let i = 0; i < 2; i++) {
    const simulation = new ShareSimulation(7);
    await simulation.play();
    digests.push(simulation.digest);
  }
  expect(digests[0]).toBe(digests[1]);
});
