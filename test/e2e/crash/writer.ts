/**
 * The process that the crash tests kill: opens a folder and appends from many writers until it ends. It says `ready`,
 * then a line for each acknowledged batch; standard output to a pipe is synchronous, so what was said was said.
 *
 * node writer.ts '{"folder": "...", "round": 3, "from": {"i0": 17}}'
 */
import { openEngine } from "./engine.ts";
import { PARTITIONS, TOPIC, writeForever } from "./load.ts";

const { folder, round, from } = JSON.parse(process.argv[2] as string);

// Never outlives the test that started it.
process.stdin.on("end", () => process.exit(0)).resume();

const { log } = await openEngine(folder);
if (!(await log.listTopics()).some(({ name }) => name === TOPIC)) await log.createTopic({ name: TOPIC, partitions: PARTITIONS });
process.stdout.write("ready\n");
await writeForever(
  round,
  from,
  async (partition, batches) => {
    try {
      return (await log.append({ topic: TOPIC, partition, batches })).baseOffset;
    } catch (error) {
      console.error(error);
      process.exit(1);
    }
  },
  (one) => process.stdout.write(`${JSON.stringify(one)}\n`),
);
