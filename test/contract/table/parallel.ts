/** T2 and T5 when many write at once. */
import { expect, test } from "vitest";
import { type Item, StorageError } from "../../../lib/ports/index.ts";
import { type Backend, freshKey } from "../backend.ts";

export function parallelTests(backend: () => Backend): void {
  test("50 parallel increments are applied exactly once each, and no two answers are the same", async () => {
    const { table } = backend().storage;
    const key = freshKey();
    await table.write({ op: "put", key, item: { n: 0, l: [] } });
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        table.write({
          op: "update",
          key,
          changes: [
            { add: "n", by: 1 },
            { append: "l", values: [i] },
          ],
          when: [{ item: "exists" }, { path: "l", is: "lacks", value: i }],
        }),
      ),
    );
    const numbers = Array.from({ length: 50 }, (_, i) => i);
    expect(answers.map((item) => item?.["n"] as number).sort((a, b) => a - b)).toEqual(numbers.map((i) => i + 1));
    const item = (await table.get(key)) as Item;
    expect(item["n"]).toBe(50);
    expect([...(item["l"] as number[])].sort((a, b) => a - b)).toEqual(numbers);
    // The answer to each is the item right after it: its own element is the last one.
    for (const [i, answer] of answers.entries()) expect(((answer as Item)["l"] as number[]).at(-1)).toBe(i);
  });

  test("of 50 parallel writes with a condition, exactly as many are applied as it lets through", async () => {
    const { table } = backend().storage;
    const key = freshKey();
    const settled = await Promise.allSettled(
      Array.from({ length: 50 }, () =>
        table.write({ op: "update", key, changes: [{ add: "n", by: 1 }], when: [{ path: "n", is: "!=", value: 20 }] }),
      ),
    );
    expect(settled.filter(({ status }) => status === "fulfilled").length).toBe(20);
    for (const one of settled) {
      if (one.status === "rejected") expect(one.reason).toMatchObject({ kind: "condition_failed", item: { n: 20 } });
    }
    expect(await table.get(key)).toEqual({ n: 20 });
  });

  test("of 20 parallel puts of what must be absent, one wins, and the others see it", async () => {
    const { table } = backend().storage;
    const key = freshKey();
    const settled = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) => table.write({ op: "put", key, item: { i }, when: [{ item: "absent" }] })),
    );
    const won = settled.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    expect(won.length).toBe(1);
    expect(await table.get(key)).toEqual(won[0]);
    for (const one of settled) if (one.status === "rejected") expect(one.reason.item).toEqual(won[0]);
  });

  test("parallel stages on one item each see what the others wrote", async () => {
    const { table } = backend().storage;
    const [key, own] = [freshKey(), Array.from({ length: 20 }, () => freshKey())];
    const settled = await Promise.all(
      own.map((mine, i) =>
        table.inOrder([[{ op: "put", key: mine, item: { i } }], [{ op: "update", key, changes: [{ add: "n", by: 1 }] }]]),
      ),
    );
    const seen = settled.map(([, second]) => (second?.[0]?.ok === true ? (second[0].item?.["n"] as number) : -1));
    expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(await table.getMany(own)).toEqual(own.map((_, i) => ({ i })));
  });

  test("parallel transactions are applied whole or not at all, and a contended one is not applied", async () => {
    const { table } = backend().storage;
    const [a, b] = [freshKey(), freshKey()];
    let applied = 0;
    await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        try {
          // In both orders, which must not make them wait for each other forever.
          const ops = [a, b].map((key) => ({ op: "update", key, changes: [{ add: "n", by: 1 }] }) as const);
          await table.atomically(i % 2 === 0 ? ops : ops.reverse());
          applied++;
        } catch (error) {
          if (!(error instanceof StorageError)) throw error;
          expect(error.kind).toBe("contended");
        }
      }),
    );
    expect(applied).toBeGreaterThan(0);
    expect(await table.getMany([a, b])).toEqual([{ n: applied }, { n: applied }]);
  });
}
