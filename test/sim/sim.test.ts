import { describe, expect, test } from "vitest";
import { type Bounds, EVERYTHING, replayCommand, shrink } from "./bounds.ts";
import { SABOTAGE } from "./sabotage.ts";
import { Simulation } from "./simulation.ts";

const SEEDS = Number(process.env["SIM_SEEDS"] ?? 300);
const FIRST = Number(process.env["SIM_FIRST"] ?? 1);

describe("the log in a storm", () => {
  test(`${SEEDS} seeds: nothing acknowledged is lost, nothing is doubled, no reader sees a hole, nothing is left over`, {
    timeout: 600_000,
  }, async () => {
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
      const violations = await new Simulation(seed).play();
      expect(violations, `seed ${seed}; once more: ${replayCommand(seed, EVERYTHING)}`).toEqual([]);
    }
  });

  test("the same seed gives the same history, byte for byte, and another seed another", async () => {
    const digestOf = async (seed: number): Promise<string> => {
      const simulation = new Simulation(seed);
      await simulation.play();
      expect(simulation.world.trace.length).toBeGreaterThan(100);
      return simulation.digest;
    };
    for (const seed of [7, 8, 9]) expect(await digestOf(seed)).toBe(await digestOf(seed));
    expect(await digestOf(8)).not.toBe(await digestOf(7));
  });

  test("a failing seed is made smaller: what the failure does not need is left out", { timeout: 120_000 }, async () => {
    const sabotage = SABOTAGE["refs are dropped without their run being put"];
    const fails = async (bounds: Bounds): Promise<boolean> => (await new Simulation(1, sabotage, bounds).play()).length > 0;
    const bounds = await shrink(EVERYTHING, fails);
    expect(await fails(bounds)).toBe(true);
    expect(bounds.without.length).toBeGreaterThan(12);
    expect(replayCommand(1, bounds)).toMatch(/^npm run sim -- --seed 1 --without \S+/);
  });
});
