/**
 * A consumer of the lag demo, in a process that may be killed: `consumer.ts <url> <topic> <group> <records a second>`. It reads
 * one partition by itself, as `assign` does in other clients, and commits twice a second, whether it got further or not. At 0
 * records a second it is stuck at its first one, and goes on trying.
 */
import { Brokerless } from "../../lib/client/index.ts";

const COMMIT_MS = 500;

const [url = "", topic = "", group = "", perSecond = "0"] = process.argv.slice(2);
const client = new Brokerless({ url });
const gapMs = 1000 / Number(perSecond);
let next = 0;

async function read(): Promise<void> {
  if (gapMs === Number.POSITIVE_INFINITY) return;
  for await (const { offset } of client.reader({ topic, partitions: [0], from: "earliest" })) {
    next = offset + 1;
    await new Promise((resolve) => setTimeout(resolve, gapMs));
  }
}

async function commit(): Promise<void> {
  for (;;) {
    for (const { error } of await client.groups.setOffsets(group, [{ topic, partition: 0, offset: next }]))
      if (error !== undefined) throw error;
    await new Promise((resolve) => setTimeout(resolve, COMMIT_MS));
  }
}

await Promise.all([read(), commit()]);
