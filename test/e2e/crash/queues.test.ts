/**
 * The server killed under the workers of a queue, some of which die too with what they hold: nothing acknowledged comes again,
 * nothing is lost, no delivery is given twice, and each dead letter is there once. CRASH_ROUNDS as in `kill.test.ts`.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { Brokerless, text } from "../../../lib/client/index.ts";
import { startServed } from "./served.ts";

const ROUNDS = Number(process.env["CRASH_ROUNDS"] ?? 0) || 4;
const EACH_ROUND = 120;
const WORKERS = 4;
const DELIVERIES_MOST = 5;
const [TOPIC, GROUP, DEAD_LETTERS] = ["jobs", "workers", "dead"];

/** What a worker was told of a message. A settling that was not answered is `maybe`. */
interface Fate {
  acked: "no" | "maybe" | "yes";
  rejected: "no" | "maybe" | "yes";
  readonly deliveries: Set<number>;
}

test("a queue comes through a server that is killed", { timeout: 120_000 + ROUNDS * 20_000 }, async () => {
  const served = await startServed("queues");
  const client = new Brokerless({ url: served.url, retry: { minMs: 20, maxMs: 200 }, requestTimeoutMs: 5000 });
  const fates = new Map<string, Fate>();
  const wrong: string[] = [];
  const stop = new AbortController();
  // At the end everything is acknowledged.
  let ending = false;

  async function work(): Promise<void> {
    const { messages } = await client.queues.receive(GROUP, {
      topics: [TOPIC],
      maxMessages: 5,
      waitMs: 100,
      visibilityTimeoutMs: 15_000,
      order: undefined,
      signal: stop.signal,
    });
    const held = messages.map(({ receipt, value, deliveryCount }) => {
      const name = text(value) ?? "";
      const fate = fates.get(name) as Fate;
      if (fate.acked === "yes") wrong.push(`${name} came again after it was acknowledged`);
      if (fate.rejected === "yes") wrong.push(`${name} came again after it was rejected`);
      if (fate.deliveries.has(deliveryCount)) wrong.push(`${name} was given twice as delivery ${deliveryCount}`);
      if (deliveryCount > DELIVERIES_MOST) wrong.push(`${name} was given as delivery ${deliveryCount}`);
      fate.deliveries.add(deliveryCount);
      return { receipt, fate };
    });
    const dice = ending ? 0 : Math.random();
    // One in twenty dies with what it holds.
    if (held.length === 0 || dice > 0.95) return;
    const how = dice < 0.7 ? "ack" : dice < 0.85 ? "release" : "reject";
    const note = (which: "acked" | "rejected", what: "maybe" | "yes", fate: Fate): void => {
      if (fate[which] !== "yes") fate[which] = what;
    };
    const which = how === "ack" ? "acked" : "rejected";
    if (how !== "release") for (const { fate } of held) note(which, "maybe", fate);
    const receipts = held.map(({ receipt }) => receipt);
    const errors = await client.queues.settle(GROUP, how, receipts);
    if (how !== "release") for (const [i, { fate }] of held.entries()) if (errors[i] === undefined) note(which, "yes", fate);
  }

  try {
    await served.createTopic(TOPIC, 2);
    const configs = [{ name: "errors.deadletterqueue.topic.name", value: DEAD_LETTERS }];
    await served.ask(`/v1/groups/${GROUP}/configs:alter`, { data: configs });
    const workers = Array.from({ length: WORKERS }, async () => {
      while (!stop.signal.aborted) await work().catch(() => sleep(20));
    });
    for (let round = 0; round < ROUNDS; round++) {
      const values = Array.from({ length: EACH_ROUND }, (_, i) => `${round}-${i}`);
      for (const value of values) fates.set(value, { acked: "no", rejected: "no", deliveries: new Set() });
      await served.ask(`/topics/${TOPIC}/records`, { records: values.map((value, i) => ({ partition: i % 2, value })) });
      await sleep(200 + Math.random() * 400);
      expect(await served.kill()).toBe("SIGKILL");
      await served.restart();
    }
    ending = true;
    // What died with its worker comes again when its time is over.
    await expect
      .poll(
        async () => {
          const { depth, inFlight, parked, dying } = await client.queues.stats(GROUP);
          return depth + inFlight + parked + dying;
        },
        { timeout: 60_000, interval: 200 },
      )
      .toBe(0);
    stop.abort();
    await Promise.all(workers);

    expect(wrong).toEqual([]);
    const dead: string[] = [];
    for await (const { value } of client.reader({ topic: DEAD_LETTERS, follow: false })) dead.push(text(value) ?? "");
    expect(dead.length).toBe(new Set(dead).size);
    const buried = new Set(dead);
    for (const [name, { acked, rejected, deliveries }] of fates) {
      expect(deliveries.size, `deliveries of ${name}`).toBeGreaterThan(0);
      if (acked === "yes") expect(buried, "acknowledged").not.toContain(name);
      else if (acked === "no" || rejected === "yes") expect(buried, "not acknowledged").toContain(name);
    }
    expect((await client.queues.stats(GROUP)).deadLetters).toBe(dead.length);
    expect([...fates.values()].some(({ acked }) => acked === "yes")).toBe(true);
    expect([...fates.values()].some(({ rejected }) => rejected === "yes")).toBe(true);
  } finally {
    stop.abort();
    await served.close();
  }
});
