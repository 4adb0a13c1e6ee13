import { expect, test } from "vitest";
import { TransactionSimulation } from "./simulation.ts";

const SEEDS = Number(process.env["SIM_SEEDS"] ?? 25);
const FIRST = Number(process.env["SIM_FIRST"] ?? 1);

test(`transactions in a storm, ${SEEDS} seeds: whole or not at all, none of a zombie, offsets with them, readers miss nothing`, {
  timeout: 600_000,
}, async () => {
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const once = `seed ${seed}; once more: SIM_FIRST=${seed} SIM_SEEDS=1 npx vitest run test/sim/transactions/transactions.test.ts`;
    expect(await new TransactionSimulation(seed).play(), once).toEqual([]);
  }
});

test("one seed has one history", async () => {
  const digests: string[] = [];
  for (let i = 0; i < 2; i++) {
    const simulation = new TransactionSimulation(7);
    await simulation.play();
    digests.push(simulation.digest);
  }
  expect(digests[0]).toBe(digests[1]);
});
