/** `brokerless queue`: receive, settle, look at and redrive the messages of a queue. */
import { type Command, Option } from "commander";
import { snakeCased } from "../../base/names.ts";
import type { JobParts, QueueCounts, QueueRow, Settling } from "../../client/index.ts";
import { type Context, connect, type ServerOptions, withServer } from "../context.ts";
import { UsageError } from "../exit-codes.ts";
import { examples } from "../help.ts";
import { duration } from "../ui/numbers.ts";
import { table } from "../ui/table.ts";
import { collect, whole } from "../values/parsers.ts";

interface JsonOption extends ServerOptions {
  readonly json?: boolean;
}

export function addQueueCommand(program: Command, context: Context): void {
  const queue = program.command("queue").description("take, settle and look at the messages of a queue: a share group of topics");
  addReceive(queue, context);
  addSettle(queue, context, "ack", "messages are done: they are not delivered again");
  addSettle(queue, context, "release", "give messages back: others get them at once");
  addSettle(queue, context, "reject", "messages cannot be processed: to the dead-letter topic, or nowhere");
  addList(queue, context);
  addStats(queue, context);
  addRedrive(queue, context);
}

function subcommand(queue: Command, usage: string, description: string, { io }: Context): Command {
  return withServer(queue.command(usage).description(description), io).option("--json", "print JSON");
}

interface ReceiveOptions extends JsonOption {
  readonly topic?: readonly string[];
  readonly maxMessages: number;
  readonly waitMs: number;
  readonly visibilityTimeoutMs?: number;
  readonly order?: "turn" | "priority";
  readonly ack?: boolean;
}

function addReceive(queue: Command, context: Context): void {
  subcommand(queue, "receive <group>", "take messages: one line each, receipt and value", context)
    .option("-t, --topic <topic>", "of this topic; may be repeated", collect)
    .option("-n, --max-messages <n>", "at most so many", whole(1, 1_000), 10)
    .option("--wait-ms <ms>", "how long to wait for a first one", whole(0, 20_000), 0)
    .option("--visibility-timeout-ms <ms>", "how long they are yours; default: as the group has it", whole(15_000, 60_000))
    .addOption(new Option("--order <order>", "which partitions go first").choices(["turn", "priority"]))
    .option("--ack", "acknowledge what was printed")
    .addHelpText(
      "after",
      examples(
        ["brokerless queue receive resizers --topic jobs", "take up to ten messages"],
        ["brokerless queue receive resizers --topic jobs --ack --json", "take them for good, one JSON object a line"],
      ),
    )
    .action(async (group: string, options: ReceiveOptions) => {
      const { topic: topics, maxMessages, waitMs, visibilityTimeoutMs, order } = options;
      if (topics === undefined) throw new UsageError("which? Give --topic");
      const { queues } = connect(options, context);
      const { messages } = await queues.receive(group, { topics, maxMessages, waitMs, visibilityTimeoutMs, order });
      for (const one of messages) {
        if (options.json) await context.out.json(jsonOf(one));
        else await context.out.line(`${one.receipt}\t${textOf(one.value) ?? ""}`);
      }
      if (messages.length === 0) context.err.tell("no messages\n");
      else if (options.ack) {
        const receipts = messages.map(({ receipt }) => receipt);
        throwFirst(await queues.settle(group, "ack", receipts));
      }
    });
}

function addSettle(queue: Command, context: Context, how: Settling, description: string): void {
  subcommand(queue, `${how} <group> <receipts...>`, description, context)
    .addHelpText("after", examples([`brokerless queue ${how} resizers <receipt>`, "a receipt is what receive printed"]))
    .action(async (group: string, receipts: readonly string[], options: JsonOption) => {
      const errors = await connect(options, context).queues.settle(group, how, receipts);
      if (options.json) {
        const results = receipts.map((receipt, i) => ({
          receipt,
          code: errors[i]?.code ?? null,
          message: errors[i]?.message ?? null,
        }));
        await context.out.json({ group, settled: errors.filter((error) => error === undefined).length, results });
      }
      throwFirst(errors);
    });
}

function throwFirst(errors: readonly (Error | undefined)[]): void {
  for (const error of errors) if (error !== undefined) throw error;
}

function addList(queue: Command, context: Context): void {
  withServer(queue.command("list").description("every queue, what is oldest first: a line for each group and topic"), context.io)
    .option("--json", "print JSON")
    .addHelpText("after", examples(["brokerless queue list", "where work waits"]))
    .action(async (options: JsonOption) => {
      const rows = (await connect(options, context).queues.list()).sort(byAge);
      if (options.json) return context.out.json(rows.map(countsJson));
      if (rows.length === 0) return context.err.tell("there is no queue\n");
      return context.out.write(queueTable(rows));
    });
}

export function byAge(a: QueueRow, b: QueueRow): number {
  return (b.oldestAgeMs ?? -1) - (a.oldestAgeMs ?? -1) || b.depth - a.depth;
}

export function queueTable(rows: readonly QueueRow[]): string {
  const cells = rows.map((row) => [row.group, row.topic, ...countCells(row)]);
  return table(["GROUP", "TOPIC", ...COLUMNS], cells);
}

/** A row, or what there is in all. */
function countsJson(counts: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(snakeCased(counts)).map(([name, value]) => [name, value ?? null]));
}

const COLUMNS = ["DEPTH", "IN-FLIGHT", "PARKED", "DYING", "DEAD-LETTERS", "OLDEST"];

function countCells(counts: QueueCounts): (string | number)[] {
  const { depth, inFlight, parked, dying, deadLetters, oldestAgeMs } = counts;
  return [depth, inFlight, parked, dying, deadLetters, oldestAgeMs === undefined ? "-" : duration(oldestAgeMs)];
}

function addStats(queue: Command, context: Context): void {
  subcommand(queue, "stats <group>", "how much there is to do, how much is being done, and how old the oldest is", context)
    .addHelpText("after", examples(["brokerless queue stats resizers", "one line"]))
    .action(async (group: string, options: JsonOption) => {
      const stats = await connect(options, context).queues.stats(group);
      if (options.json) return context.out.json({ group, ...countsJson(stats) });
      const row = [group, ...countCells(stats), stats.deadLetterTopic ?? "-"];
      return context.out.write(table(["GROUP", ...COLUMNS, "DEAD-LETTER-TOPIC"], [row]));
    });
}

function addRedrive(queue: Command, context: Context): void {
  subcommand(queue, "redrive <group>", "dead letters of the group back to the topics that they came from", context)
    .option("-n, --max-messages <n>", "at most so many", whole(1, 1_000), 100)
    .addHelpText("after", examples(["brokerless queue redrive resizers", "after the worker was mended"]))
    .action(async (group: string, options: JsonOption & { readonly maxMessages: number }) => {
      const answer = await connect(options, context).queues.redrive(group, options.maxMessages);
      if (options.json) return context.out.json({ group, ...answer });
      return context.out.line(`${answer.redriven} redriven, ${answer.skipped} skipped, ${answer.failed} failed`);
    });
}

function jsonOf({ receipt, deliveryCount, topic, partition, offset, timestampMs, key, value, headers }: JobParts) {
  return {
    receipt,
    delivery_count: deliveryCount,
    topic,
    partition,
    offset,
    timestamp: timestampMs,
    key: textOf(key),
    value: textOf(value),
    headers: headers.map((one) => ({ name: one.key, value: textOf(one.value) })),
  };
}

/** Text where it is UTF-8; else base64. */
function textOf(bytes: Uint8Array | null): string | null {
  if (bytes === null) return null;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return Buffer.from(bytes).toString("base64");
  }
}
