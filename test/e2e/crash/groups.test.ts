/**
 * The server killed in the middle of rebalances, while members of both group protocols and of the HTTP one come and go: no
 * record is missed, and no commit that was answered is lost. CRASH_ROUNDS as in `kill.test.ts`.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { keepAlive, MEMBERS } from "./group-members.ts";
import { startServed } from "./served.ts";

const ROUNDS = Number(process.env["CRASH_ROUNDS"] ?? 0) || 4;
const PARTITIONS = 4;
const EACH_ROUND = 40;
const TOPIC = "rounds";

/** What a group was given, and what it was told is committed. */
class Ledger {
  readonly seen = new Set<string>();
  readonly committed = new Map<number, number>();

  processed(value: string): void {
    this.seen.add(value);
  }

  commits(partition: number, nextOffset: number): void {
    this.committed.set(partition, Math.max(nextOffset, this.committed.get(partition) ?? 0));
  }
}

test("groups come through a server that is killed in the middle of rebalances", {
  timeout: 60_000 + ROUNDS * 30_000,
}, async () => {
  const served = await startServed("groups", ["--default-partitions", `${PARTITIONS}`]);
  const { url, kafka, ask, committedOf } = served;

  const ledgers = new Map(Object.keys(MEMBERS).map((name) => [name, new Ledger()]));
  const living: { stop: AbortController; done: Promise<void> }[] = [];
  const join_ = (name: string): void => {
    const ledger = ledgers.get(name) as Ledger;
    const stop = new AbortController();
    const told = {
      processed: (value: string) => ledger.processed(value),
      committed: (partition: number, nextOffset: number) => ledger.commits(partition, nextOffset),
    };
    const life = MEMBERS[name] as (typeof MEMBERS)[string];
    living.push({ stop, done: keepAlive(life, { url, kafka, topic: TOPIC, group: name }, told, stop.signal) });
  };
  const all: string[] = [];
  try {
    await served.createTopic(TOPIC, PARTITIONS);
    for (const name of Object.keys(MEMBERS)) {
      await ask(`/v1/groups/${name}/configs:alter`, { data: [{ name: "consumer.session.timeout.ms", value: "6000" }] });
      join_(name);
    }
    for (let round = 0; round < ROUNDS; round++) {
      const values = Array.from({ length: EACH_ROUND }, (_, i) => `${round}-${i}`);
      const records = values.map((value, i) => ({ partition: i % PARTITIONS, value }));
      await ask(`/topics/${TOPIC}/records`, { records });
      all.push(...values);
      await sleep(500);
      // One more of each: a rebalance of each group, in the middle of which the server dies.
      for (const name of Object.keys(MEMBERS)) join_(name);
      await sleep(20 + Math.random() * 400);
      expect(await served.kill()).toBe("SIGKILL");
      // Some of the members are gone when it comes back.
      for (const { stop } of living.splice(0, round % 2 === 0 ? 3 : 0)) stop.abort();
      await served.restart();
      for (const [name, ledger] of ledgers) {
        const kept = await committedOf(name);
        for (const [partition, offset] of ledger.committed) {
          expect(kept.get(partition) ?? -1, `${name}, partition ${partition}, round ${round}`).toBeGreaterThanOrEqual(offset);
        }
      }
    }
    for (const [name, ledger] of ledgers) {
      await expect
        .poll(() => all.filter((value) => !ledger.seen.has(value)), { timeout: 40_000, interval: 200, message: name })
        .toEqual([]);
      await expect
        .poll(async () => [...(await committedOf(name)).values()].reduce((sum, offset) => sum + offset, 0), { timeout: 20_000 })
        .toBe(all.length);
    }
  } finally {
    for (const { stop } of living) stop.abort();
    await Promise.race([Promise.all(living.map(({ done }) => done)), sleep(10_000)]);
    await served.close();
  }
});
