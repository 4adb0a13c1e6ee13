import { expect, test } from "vitest";
import { GroupSimulation } from "./simulation.ts";

const SEEDS = Number(process.env["SIM_SEEDS"] ?? 60);
const FIRST = Number(process.env["SIM_FIRST"] ?? 1);

test(`a group in a storm, ${SEEDS} seeds: no record missed, no stale commit, one owner, no commit lost`, {
  timeout: 600_000,
}, async () => {
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    expect(await new GroupSimulation(seed).play(), `seed ${seed}`).toEqual([]);
  }
});
