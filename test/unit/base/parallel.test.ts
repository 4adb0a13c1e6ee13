import { expect, test } from "vitest";
import { inParallel } from "../../../lib/base/parallel.ts";

test("as many at a time as allowed, answered in order", async () => {
  let [now, most] = [0, 0];
  const answers = await inParallel([5, 1, 4, 2, 3], 2, async (n, i) => {
    most = Math.max(most, ++now);
    await new Promise((resolve) => setTimeout(resolve, n));
    now--;
    return `${i}:${n}`;
  });
  expect(answers).toEqual(["0:5", "1:1", "2:4", "3:2", "4:3"]);
  expect(most).toBe(2);
  expect(await inParallel([], 2, async () => 1)).toEqual([]);
});

test("after a failure nothing new is begun", async () => {
  const begun: number[] = [];
  const run = inParallel([1, 2, 3, 4, 5, 6], 2, async (n) => {
    begun.push(n);
    await Promise.resolve();
    if (n === 2) throw new Error("two");
  });
  await expect(run).rejects.toThrow("two");
  expect(begun.length).toBeLessThan(6);
});
