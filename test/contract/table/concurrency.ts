import { describe, expect, test } from "vitest";
import type { StorageError } from "../../../lib/ports/index.ts";
import { type Subject, unique } from "../subject.ts";

export function concurrencyContract(subject: () => Subject): void {
  const table = () => subject().storage.table;

  describe("many at once", () => {
    test("plain updates of one item all count, each answers its own state, and none fails", async () => {
      const key = { pk: unique("counter"), sk: "a" };
      const answers = await Promise.all(
        Array.from({ length: 100 }, () => table().write({ op: "update", key, changes: [{ add: "n", by: 1 }] })),
      );
      const seen = answers.map((item) => item?.["n"] as number).toSorted((a, b) => a - b);
      expect(seen).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
      expect(await table().get(key)).toEqual({ n: 100 });
    });

    test("of those that ask for the same state exactly one wins", async () => {
      const key = { pk: unique("race"), sk: "a" };
      await table().write({ op: "put", key, item: { n: 0, won: [] } });
      for (let round = 0; round < 5; round++) {
        const outcomes = await Promise.all(
          Array.from({ length: 20 }, async (_, i) => {
            try {
              await table().write({
                op: "update",
                key,
                changes: [
                  { add: "n", by: 1 },
                  { append: "won", values: [`${round}-${i}`] },
                ],
                when: [{ path: "n", is: "=", value: round }],
              });
              return `${round}-${i}`;
            } catch (error) {
              expect((error as StorageError).kind).toBe("condition_failed");
              return undefined;
            }
          }),
        );
        const winners = outcomes.filter((one) => one !== undefined);
        expect(winners).toHaveLength(1);
        expect((await table().get(key))?.["won"]).toContain(winners[0]);
      }
      expect((await table().get(key))?.["won"]).toHaveLength(5);
    });

    test("compare and set by many, retried, counts each exactly once", async () => {
      const key = { pk: unique("cas"), sk: "a" };
      await table().write({ op: "put", key, item: { n: 0 } });
      const increment = async (): Promise<void> => {
        let seen = 0;
        for (;;) {
          try {
            await table().write({ op: "put", key, item: { n: seen + 1 }, when: [{ path: "n", is: "=", value: seen }] });
            return;
          } catch (error) {
            const refused = error as StorageError;
            if (refused.kind !== "condition_failed") throw error;
            seen = refused.item?.["n"] as number;
          }
        }
      };
      await Promise.all(Array.from({ length: 24 }, increment));
      expect(await table().get(key)).toEqual({ n: 24 });
    });

    test("calls of many kinds at once keep their answers apart", async () => {
      const pk = unique("apart");
      await Promise.all(
        Array.from({ length: 60 }, async (_, i) => {
          const key = { pk, sk: `k${i}` };
          const [settled] = await table().inOrder([[{ op: "put", key, item: { i } }]]);
          expect(settled?.[0]).toEqual({ ok: true, item: { i } });
          const [got, many, ranged] = await Promise.all([
            table().get(key),
            table().getMany([key, { pk, sk: "none" }]),
            table().range(pk, { from: key.sk, to: key.sk }),
          ]);
          expect([got, many, ranged]).toEqual([{ i }, [{ i }, undefined], [{ key, item: { i } }]]);
        }),
      );
    });
  });
}
