import { describe, expect, test } from "vitest";
import { SABOTAGE } from "./sabotage.ts";
import { Simulation } from "./simulation.ts";

const SEEDS_MOST = 200;

describe("a rule of the protocol taken out is noticed", () => {
  for (const [name, sabotage] of Object.entries(SABOTAGE)) {
    test(name, { timeout: 120_000 }, async () => {
      for (let seed = 1; seed <= SEEDS_MOST; seed++) {
        const violations = await new Simulation(seed, sabotage).play().catch((error) => [String(error)]);
        if (violations.length > 0) return;
      }
      expect.fail(`${SEEDS_MOST} seeds noticed nothing`);
    });
  }
});
