/**
 * The process that the crash tests kill: opens a folder and appends from many writers until it ends. It says `ready`,
 * then a line for each acknowledged batch; standard output to a pipe is synchronous, so what was said was said. With
 * `noting` it says what has become durable too; with `upkeep` all jobs are at work meanwhile.
 *
 * node writer.ts '{"folder": "...", "round": 3, "from": {"i0": 17}, "tuning": {}, "noting": false, "upkeep": false}'
 */
import { setTimeout as sleep } from "node:timers/promises";
import { BrokerlessError } from "../../../lib/base/errors.ts";
import { openEngine } from "./engine.ts";
import { notingDisk, walBytesOf } from "./forgetful-disk.ts";
import { PARTITIONS, TOPIC, writeUntilRefused } from "./load.ts";
import { KEPT_BYTES, keepBusy } from "./upkeep.ts";

const LATE = 0.1;
const LATE_MS = 30;

const { folder, round, from, tuning, noting, upkeep } = JSON.parse(process.argv[2] as string);

// Never outlives the test that started it.
process.stdin.on("end", () => process.exit(0)).resume();

const say = (what: object): void => {
  process.stdout.write(`${JSON.stringify(what)}\n`);
};
const fail = (error: unknown): never => {
  console.error(error);
  process.exit(1);
};
const engine = await openEngine(folder, noting ? { tuning, disk: notingDisk(folder, say) } : { tuning });
const { log } = engine;
if (!(await log.listTopics()).some(({ name }) => name === TOPIC)) {
  const configs = { "retention.bytes": String(upkeep ? KEPT_BYTES : -1), "retention.ms": "-1", "segment.ms": "1000" };
  await log.createTopic({ name: TOPIC, partitions: PARTITIONS, configs });
}
if (noting) say({ walBytes: walBytesOf(folder) });
process.stdout.write("ready\n");
if (upkeep) keepBusy(engine, say).catch(fail);
await writeUntilRefused(
  round,
  from,
  async (partition, batches) => {
    try {
      const { baseOffset } = await log.append({ topic: TOPIC, partition, batches });
      // Some answers come late, and many of those not at all: what they answered will be repeated.
      if (Math.random() < LATE) await sleep(LATE_MS);
      return baseOffset;
    } catch (error) {
      // Of a batch that is repeated after a crash nothing but that it is written may be known by now.
      if (upkeep && error instanceof BrokerlessError && error.code === "duplicate_sequence") return undefined;
      return fail(error);
    }
  },
  (one) => say(noting ? { ...one, walBytes: walBytesOf(folder) } : one),
);
