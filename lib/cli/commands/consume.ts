/** `brokerless consume`: records to stdout. */
import { type Command, Option } from "commander";
import type { Brokerless, RecordsBatch } from "../../client/index.ts";
import { type Context, connect, type ServerOptions, withServer } from "../context.ts";
import { UsageError } from "../exit-codes.ts";
import { ByteBuilder } from "../format/byte-builder.ts";
import { jsonLine } from "../format/json-lines.ts";
import { compileFormat, FORMAT_HELP, plainFormat } from "../format/kcat.ts";
import type { RecordFormat } from "../format/types.ts";
import { RecordOnView } from "../format/view.ts";
import { examples } from "../help.ts";
import { throughput } from "../ui/numbers.ts";
import { Progress } from "../ui/progress.ts";
import { OFFSET_HELP, type OffsetRange, offsetRange } from "../values/offset-spec.ts";
import { delimiter, partitions, whole } from "../values/parsers.ts";
import { resolveRange } from "../values/range.ts";
import { topicOf, withTopic } from "../values/topic-argument.ts";
import { type BatchSource, groupBatches, refuseWithGroup } from "./consume-group.ts";

interface ConsumeOptions extends ServerOptions {
  readonly topic?: string;
  readonly group?: string;
  readonly partition?: readonly number[];
  readonly offset?: Partial<OffsetRange>;
  readonly count?: number;
  readonly exit?: boolean;
  readonly format?: string;
  readonly json?: boolean;
  readonly delimiter?: Uint8Array;
  readonly keyDelimiter?: Uint8Array;
  readonly null?: boolean;
  readonly unbuffered?: boolean;
  readonly quiet?: boolean;
  readonly reset?: "none" | "earliest" | "latest";
  readonly isolation: "read_committed" | "read_uncommitted";
}

export function addConsumeCommand(program: Command, context: Context): void {
  withServer(
    withTopic(program.command("consume").description("read records and print them; waits for new ones, until Ctrl-C")),
    context.io,
  )
    .option("-G, --group <name>", "as a member of this consumer group: go on where it has committed, and commit what was printed")
    .option("-p, --partition <n>", "only this partition; may be repeated, or 0,2,5 (default: all)", partitions)
    .option("-o, --offset <place>", `where to begin: ${OFFSET_HELP} (default: beginning)`, offsetRange)
    .option("-e, --exit", "end at what is the end of the log now")
    .option("-c, --count <n>", "end after so many records", whole(1))
    .option("-f, --format <format>", "how to print a record, see below")
    .option("-J, --json", "print JSON lines with kcat's names; produce --json reads them")
    .option("-D, --delimiter <text>", "after each record (default: \\n)", delimiter)
    .option("-K, --key-delimiter <text>", "print the key first, and this after it", delimiter)
    .option("-Z, --null", "print NULL for null keys and values")
    .option("-u, --unbuffered", "write every record by itself")
    .option("-q, --quiet", "no progress and no summary")
    .option(
      "--reset <where>",
      "if the offset is not in the log: none fails, earliest or latest goes on there (default: none; with --group latest)",
      resetOf,
    )
    .addOption(
      new Option("--isolation <level>", "read_uncommitted shows records of transactions that are open or were aborted too")
        .choices(["read_committed", "read_uncommitted"])
        .default("read_committed"),
    )
    .addHelpText(
      "after",
      `${examples(
        ["brokerless consume clicks", "everything, and then what comes"],
        ["brokerless consume clicks -o -10 -e", "the last ten records of each partition"],
        ["brokerless consume clicks -o end", "only what comes from now on"],
        ["brokerless consume clicks -o s@2026-01-31T00:00:00Z -o e@2026-02-01T00:00:00Z", "one day"],
        ["brokerless consume clicks -p 0 -o 1000 -c 5 -f '%o %k: %s\\n'", "five records from offset 1000"],
        ["brokerless consume clicks -G billing --reset earliest", "as a member of a group, a new one from the beginning"],
        ["brokerless consume clicks -e -J | jq .payload", "for other programs"],
      )}\n\n${FORMAT_HELP}`,
    )
    .action((argument: string | undefined, options: ConsumeOptions) => consume(argument, options, context));
}

async function consume(argument: string | undefined, options: ConsumeOptions, context: Context): Promise<void> {
  const { out, err, io } = context;
  const topic = topicOf(argument, options.topic);
  const format = formatOf(options);
  const client = connect(options, context);
  const source =
    options.group === undefined
      ? await topicBatches(client, topic, options, io.interrupted)
      : ofGroup(client, topic, options, options.group, io.interrupted);

  const limit = options.count ?? Infinity;
  const pieces = new ByteBuilder();
  let records = 0;
  let sizeBytes = 0;
  // On a terminal the records themselves show that something goes on.
  const progress: Progress = new Progress(err, !options.quiet && !out.isTty, () =>
    throughput(records, sizeBytes, progress.elapsedMs),
  );
  try {
    for await (const batch of source.batches) {
      const before = records;
      for (const done of format(batch, pieces, limit - records, options.unbuffered === true)) {
        records += done;
        sizeBytes += pieces.size;
        await out.write(pieces.take());
      }
      progress.step();
      if (records < limit) continue;
      source.stopAt?.(batch, batch.records()[records - before]?.offset ?? batch.nextOffset);
      break;
    }
  } finally {
    progress.clear();
    if (!options.quiet && (io.interrupted.aborted || (err.isTty && !out.isTty))) {
      err.tell(`${throughput(records, sizeBytes, progress.elapsedMs)}\n`);
    }
  }
}

async function topicBatches(
  client: Brokerless,
  topic: string,
  options: ConsumeOptions,
  signal: AbortSignal,
): Promise<BatchSource> {
  const range = await resolveRange(client, topic, options.partition, { from: { kind: "earliest" }, ...options.offset });
  const reader = client.reader({
    topic,
    partitions: range.partitions,
    from: range.from,
    until: range.until,
    follow: !options.exit && range.until === undefined,
    autoOffsetReset: options.reset ?? "none",
    isolation: options.isolation,
    signal,
  });
  return { batches: reader.batches() };
}

function ofGroup(client: Brokerless, topic: string, options: ConsumeOptions, group: string, signal: AbortSignal): BatchSource {
  refuseWithGroup({ partition: options.partition, offset: options.offset });
  const { reset = "latest", isolation, exit = false } = options;
  return groupBatches(client, { group, topic, reset, isolation, exit, signal });
}

/** Puts records of a batch into the output, and answers how many at each point where it is to be written. */
type BatchFormat = (batch: RecordsBatch, out: ByteBuilder, limit: number, oneByOne: boolean) => Iterable<number>;

function formatOf(options: ConsumeOptions): BatchFormat {
  const given = (["format", "json"] as const).filter((name) => options[name] !== undefined);
  const plain = (["delimiter", "keyDelimiter"] as const).filter((name) => options[name] !== undefined);
  if (given.length > 1 || (given.length > 0 && plain.length > 0)) {
    throw new UsageError("--format, --json and the delimiters (-D, -K) are three ways to print: give one of them");
  }
  const nulls = { showNulls: options.null === true };
  let one: RecordFormat;
  if (options.json) one = jsonLine;
  else if (options.format !== undefined) one = compileFormatOption(options.format, nulls);
  else one = plainFormat(options.delimiter ?? Uint8Array.of(10), options.keyDelimiter, nulls);
  return function* (batch, out, limit, oneByOne) {
    const record = new RecordOnView(batch);
    if (oneByOne) {
      for (const read of batch.records().slice(0, limit)) {
        one(out, read);
        yield 1;
      }
      return;
    }
    let records = 0;
    batch.visit((view) => {
      one(out, record.at(view));
      return ++records < limit;
    });
    yield records;
  };
}

function compileFormatOption(format: string, nulls: { readonly showNulls: boolean }): RecordFormat {
  try {
    return compileFormat(format, nulls);
  } catch (error) {
    throw new UsageError(`--format ${JSON.stringify(format)}: ${(error as Error).message}`);
  }
}

function resetOf(text: string): "none" | "earliest" | "latest" {
  if (text === "none" || text === "earliest" || text === "latest") return text;
  throw new UsageError(`--reset ${text}: it must be none, earliest or latest`);
}
