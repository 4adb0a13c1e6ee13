/**
 * The server killed in the middle of transactions, of Kafka's protocol and of atomic requests over HTTP: each is there whole or
 * not at all, with its offset, in the way that its producer was told. CRASH_ROUNDS as in `kill.test.ts`.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { Brokerless, text } from "../../../lib/client/index.ts";
import { startServed } from "./served.ts";
import { INPUT, keepWriting, OUTPUTS, type Outcome, PLACES, WRITERS } from "./transaction-writers.ts";

const ROUNDS = Number(process.env["CRASH_ROUNDS"] ?? 0) || 4;

test("transactions come through a server that is killed", { timeout: 90_000 + ROUNDS * 20_000 }, async () => {
  const served = await startServed("transactions");
  const { url, kafka } = served;
  const stop = new AbortController();
  // By writer: what became of its transactions, in their order.
  const told = new Map<string, Outcome[]>(Object.keys(WRITERS).map((name) => [name, []]));
  try {
    for (const topic of [INPUT, ...OUTPUTS]) await served.createTopic(topic, 2);
    const writing = Object.entries(WRITERS).map(([name, life]) => {
      const outcomes = told.get(name) as Outcome[];
      return keepWriting(life, { url, kafka, name }, outcomes, stop.signal);
    });
    for (let round = 0; round < ROUNDS; round++) {
      const before = [...told.values()].map((outcomes) => outcomes.filter((one) => one === "committed").length);
      // Every writer has committed in this round before the server dies.
      await expect
        .poll(
          () => [...told.values()].every((all, i) => all.filter((one) => one === "committed").length > (before[i] as number)),
          {
            timeout: 15_000,
            interval: 20,
          },
        )
        .toBe(true);
      await sleep(Math.random() * 300);
      expect(await served.kill()).toBe("SIGKILL");
      await served.restart();
    }
    stop.abort();
    await Promise.all(writing);
    // A next transaction of each id begins only after the one before has ended everywhere.
    for (const [name, life] of Object.entries(WRITERS)) {
      const outcomes = told.get(name) as Outcome[];
      const last = outcomes.length;
      const ending = new AbortController();
      await expect
        .poll(
          async () => {
            await life({ url, kafka, name }, outcomes, ending.signal, 1).catch(() => undefined);
            return outcomes.slice(last).includes("committed");
          },
          { timeout: 20_000 },
        )
        .toBe(true);
    }

    const client = new Brokerless({ url });
    const copies = { read_committed: new Map<string, number>(), read_uncommitted: new Map<string, number>() };
    for (const isolation of ["read_committed", "read_uncommitted"] as const) {
      for (const topic of OUTPUTS) {
        for await (const { partition, value } of client.reader({ topic, follow: false, isolation })) {
          const key = `${text(value)} ${topic}-${partition}`;
          copies[isolation].set(key, (copies[isolation].get(key) ?? 0) + 1);
        }
      }
    }
    let seen = 0;
    for (const [name, outcomes] of told) {
      let lastSeen = -1;
      for (const [i, outcome] of outcomes.entries()) {
        const found = PLACES.map(({ topic, partition }) => copies.read_committed.get(`${name}/${i} ${topic}-${partition}`) ?? 0);
        const [first = 0] = found;
        expect(found, `${name}/${i}, which was ${outcome}`).toEqual(PLACES.map(() => first));
        if (outcome !== "unknown") expect(first, `${name}/${i}`).toBe(outcome === "committed" ? 1 : 0);
        expect(first).toBeLessThanOrEqual(1);
        if (first === 1) lastSeen = i;
        seen += first;
      }
      const [committed] = (await served.committedOf(name)).values();
      expect(committed, `the offset that ${name} committed with its last transaction`).toBe(lastSeen + 1);
    }
    expect(seen).toBeGreaterThan(ROUNDS * told.size);
    for (const key of copies.read_committed.keys()) expect(copies.read_uncommitted.has(key)).toBe(true);
    expect([...told.values()].flat()).toContain("aborted");
  } finally {
    stop.abort();
    await served.close();
  }
});
