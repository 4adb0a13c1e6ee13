/** T2 and T5 when many write at once. */
import { expect, test } from "vitest";
import { type Item, type Key, StorageError } from "../../../lib/ports/index.ts";
import { type Backend, freshKey, freshName, storageErrorOf } from "../backend.ts";

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

  test("compare and set by many, retried with the item that the refusal carries, counts each exactly once", async () => {
    const { table } = backend().storage;
    const key = freshKey();
    await table.write({ op: "put", key, item: { n: 0 } });
    const increment = async (): Promise<void> => {
      for (let seen = 0; ; ) {
        try {
          await table.write({ op: "put", key, item: { n: seen + 1 }, when: [{ path: "n", is: "=", value: seen }] });
          return;
        } catch (error) {
          if (!(error instanceof StorageError) || error.kind !== "condition_failed") throw error;
          expect(error.item?.["n"]).toBeGreaterThan(seen);
          seen = error.item?.["n"] as number;
        }
      }
    };
    await Promise.all(Array.from({ length: 16 }, increment));
    expect(await table.get(key)).toEqual({ n: 16 });
  });

  test("calls of many kinds at once keep their answers apart", async () => {
    const { table } = backend().storage;
    const pk = freshName();
    await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const key = { pk, sk: `k${i}` };
        expect(await table.inOrder([[{ op: "put", key, item: { i } }]])).toEqual([[{ ok: true, item: { i } }]]);
        const [got, many, ranged, refused] = await Promise.all([
          table.get(key),
          table.getMany([key, { pk, sk: "none" }]),
          table.range(pk, { from: key.sk, to: key.sk }),
          storageErrorOf(table.write({ op: "put", key, item: {}, when: [{ path: "i", is: "=", value: -1 }] })),
        ]);
        expect([got, many, ranged]).toEqual([{ i }, [{ i }, undefined], [{ key, item: { i } }]]);
        expect(refused.item).toEqual({ i });
      }),
    );
  });

  test("transfers between items at once neither make nor lose anything", async () => {
    const { table } = backend().storage;
    const accounts = Array.from({ length: 4 }, () => freshKey());
    for (const key of accounts) await table.write({ op: "put", key, item: { n: 100 } });
    const move = async (i: number): Promise<void> => {
      const [from, to] = [accounts[i % 4], accounts[(i + 1 + (i % 3)) % 4]] as [Key, Key];
      for (let attempt = 1; ; attempt++) {
        try {
          return await table.atomically([
            { op: "update", key: from, changes: [{ add: "n", by: -i }], when: [{ path: "n", is: ">=", value: i }] },
            { op: "update", key: to, changes: [{ add: "n", by: i }] },
          ]);
        } catch (error) {
          if (!(error instanceof StorageError) || error.kind !== "contended" || attempt > 50) throw error;
          await new Promise((resolve) => setTimeout(resolve, 5 * attempt * (1 + (i % 7) / 7)));
        }
      }
    };
    await Promise.all(Array.from({ length: 16 }, (_, i) => move(i)));
    const wanted = [100, 100, 100, 100];
    for (let i = 0; i < 16; i++) {
      const to = (i + 1 + (i % 3)) % 4;
      wanted[i % 4] = (wanted[i % 4] as number) - i;
      wanted[to] = (wanted[to] as number) + i;
    }
    expect((await table.getMany(accounts)).map((item) => item?.["n"])).toEqual(wanted);
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
