/**
 * The process that the crash tests kill: opens a folder and appends from many writers until it ends. It says `ready`,
 * then a line for each acknowledged batch; standard output to a pipe is synchronous, so what was said was said. With
 * `noting` it says what has become durable too.
 *
 * node writer.ts '{"folder": "...", "round": 3, "from": {"i0": 17}, "tuning": {}, "noting": false}'
 */
import { setTimeout as sleep } from "node:timers/promises";
import { openEngine } from "./engine.ts";
import { notingDisk, walBytesOf } from "./forgetful-disk.ts";
import { PARTITIONS, TOPIC, writeUntilRefused } from "./load.ts";

const LATE = 0.1;
const LATE_MS = 30;

const { folder, round, from, tuning, noting } = JSON.parse(process.argv[2] as string);

// Never outlives the test that started it.
process.stdin.on("end", () => process.exit(0)).resume();

const say = (what: object): void => {
  process.stdout.write(`${JSON.stringify(what)}\n`);
};
const { log } = await openEngine(folder, noting ? { tuning, disk: notingDisk(say) } : { tuning });
if (!(await log.listTopics()).some(({ name }) => name === TOPIC)) await log.createTopic({ name: TOPIC, partitions: PARTITIONS });
process.stdout.write("ready\n");
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
      console.error(error);
      process.exit(1);
    }
  },
  (one) => say(noting ? { ...one, walBytes: walBytesOf(folder) } : one),
);
