/** `brokerless replay`: what is in a topic, once more, into another topic or a file. */
import type { Command } from "commander";
import type { Brokerless, TopicInfo } from "../../client/index.ts";
import { BrokerlessError, type CompressionName } from "../../client/index.ts";
import { type Context, connect, type ServerOptions, withServer } from "../context.ts";
import { UsageError } from "../exit-codes.ts";
import { examples } from "../help.ts";
import { byKey, type Route, samePartition, slicesOf } from "../replay/slices.ts";
import { type ReplayState, StateFile } from "../replay/state.ts";
import { ReplayFile, readReplayFile } from "../replay/to-file.ts";
import { writeSlice } from "../replay/to-topic.ts";
import { plural, throughput } from "../ui/numbers.ts";
import { bar, Progress } from "../ui/progress.ts";
import { OFFSET_HELP, type OffsetRange, offsetRange } from "../values/offset-spec.ts";
import { codec, partitions } from "../values/parsers.ts";
import { type ResolvedRange, resolveRange } from "../values/range.ts";
import { topicOf, withTopic } from "../values/topic-argument.ts";

interface ReplayOptions extends ServerOptions {
  readonly topic?: string;
  readonly toTopic?: string;
  readonly toFile?: string;
  readonly partition?: readonly number[];
  readonly offset?: Partial<OffsetRange>;
  readonly state?: string;
  readonly resume?: boolean;
  readonly create?: boolean;
  readonly byKey?: boolean;
  readonly compression: CompressionName;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** Of a slice; the target's `max.message.bytes` may say less. */
const SLICE_BYTES = 512 * 1024;

export function addReplayCommand(program: Command, context: Context): void {
  withServer(
    withTopic(program.command("replay").description("copy what a topic holds now to another topic or to a file")),
    context.io,
  )
    .option("--to-topic <topic>", "write to this topic: keys, values, headers and timestamps stay as they are")
    .option("--to-file <file>", "write JSON lines to this file; produce --json reads them")
    .option("-o, --offset <place>", `where to begin: ${OFFSET_HELP} (default: beginning)`, offsetRange)
    .option("-p, --partition <n>", "only this partition; may be repeated, or 0,2,5 (default: all)", partitions)
    .option("--create", "make the target topic, like the source, where it is not there")
    .option("--by-key", "choose partitions by key, where the target has another number of them (default: the same partition)")
    .option("-z, --compression <codec>", "for the target: none, gzip, snappy, lz4 or zstd", codec, "none")
    .option("--state <file>", "remember here how far it got: the same command goes on there, and no record is written twice")
    .option("--resume", "go on with the file that an earlier replay began, where there is one")
    .option("--json", "print the result as JSON")
    .option("-q, --quiet", "no progress and no summary")
    .addHelpText(
      "after",
      `${examples(
        ["brokerless replay clicks --to-topic clicks-copy --create", "the whole topic"],
        [
          "brokerless replay clicks --to-topic again -o s@2026-01-31T00:00:00Z --state again.json",
          "from a time on; can be stopped and started",
        ],
        ["brokerless replay clicks --to-file clicks.jsonl", "to a file"],
        ["brokerless replay clicks --to-file clicks.jsonl --resume", "the rest, after it was stopped, or what has come since"],
        ["brokerless replay clicks --to-topic wide --by-key", "into a topic with another number of partitions"],
      )}

It ends at what is the end of the log when it starts. Order within a partition is kept.`,
    )
    .action((argument: string | undefined, options: ReplayOptions) => replay(argument, options, context));
}

async function replay(argument: string | undefined, options: ReplayOptions, context: Context): Promise<void> {
  const topic = topicOf(argument, options.topic);
  checkOptions(topic, options);
  const client = connect(options, context);
  const job = new Replay(client, topic, options, context);
  if (options.toFile !== undefined) await job.toFile(options.toFile);
  else await job.toTopic(options.toTopic as string);
}

function checkOptions(topic: string, options: ReplayOptions): void {
  const { toTopic, toFile } = options;
  if ((toTopic === undefined) === (toFile === undefined))
    throw new UsageError("where to? Give --to-topic or --to-file, one of them");
  if (toTopic === topic) throw new UsageError(`--to-topic ${toTopic}: this is the topic that is read`);
  for (const name of ["state", "create", "byKey"] as const) {
    if (toFile !== undefined && options[name] !== undefined)
      throw new UsageError(`--${name === "byKey" ? "by-key" : name} is for --to-topic`);
  }
  if (toTopic !== undefined && options.resume) throw new UsageError("--resume is for --to-file; with --to-topic --state does it");
}

/** One run of the command. */
class Replay {
  readonly #client: Brokerless;
  readonly #topic: string;
  readonly #options: ReplayOptions;
  readonly #context: Context;
  readonly #progress: Progress;
  #records = 0;
  #sizeBytes = 0;
  #doneOffsets = 0;
  #allOffsets = 0;

  constructor(client: Brokerless, topic: string, options: ReplayOptions, context: Context) {
    this.#client = client;
    this.#topic = topic;
    this.#options = options;
    this.#context = context;
    this.#progress = new Progress(
      context.err,
      !options.quiet,
      () => `${bar(this.#allOffsets === 0 ? 1 : this.#doneOffsets / this.#allOffsets)}  ${this.#summary()}`,
    );
  }

  async toFile(path: string): Promise<void> {
    const range = await this.#range();
    const before = this.#options.resume ? await readReplayFile(path, this.#topic) : undefined;
    const file = await ReplayFile.open(path, before?.sizeBytes);
    try {
      await Promise.all(
        range.partitions.map(async (partition) => {
          const from = before?.next.get(partition) ?? (range.from.get(partition) as number);
          for await (const batch of this.#read(partition, from, range).batches()) {
            this.#count(await file.write(batch), batch.bytes.byteLength, batch.nextOffset - batch.firstOffset);
          }
        }),
      );
    } finally {
      await file.close();
    }
    await this.#done({ file: path });
  }

  async toTopic(target: string): Promise<void> {
    const { admin } = this.#client;
    const range = await this.#range();
    const targetInfo = await this.#target(target);
    const route = this.#route(targetInfo, range.partitions);
    const file = this.#options.state === undefined ? undefined : new StateFile(this.#options.state);
    const identity = { clusterId: await admin.clusterId(), from: this.#topic, to: target };
    const state: ReplayState = (await file?.load(identity)) ?? { version: 1, ...identity, partitions: {} };
    const sliceBytes = await this.#sliceBytes(target);
    const signal = this.#context.io.interrupted;
    const settings = {
      client: this.#client,
      topic: target,
      route,
      compression: this.#options.compression,
      signal,
      save: async () => file?.save(state),
    };
    await Promise.all(
      range.partitions.map(async (partition) => {
        state.partitions[partition] ??= { next: range.from.get(partition) as number, writers: {} };
        const progress = state.partitions[partition];
        // Nothing is in doubt: a new number is as good, and the server may have forgotten the old one.
        if (progress.sending === undefined) progress.writers = {};
        const reader = this.#read(partition, progress.next, range, progress.sending?.to);
        for await (const slice of slicesOf(reader.batches(), sliceBytes, progress.sending?.to)) {
          const from = progress.next;
          await writeSlice(progress, slice, settings);
          this.#count(slice.records.length, sizeOfAll(slice.records), slice.to - from);
          // What is not sent yet is not begun.
          if (signal.aborted) break;
        }
      }),
    );
    await file?.save(state);
    await this.#done({ to: target });
  }

  /** Begin and end of each partition as numbers. */
  async #range(): Promise<ResolvedRange & { readonly until: ReadonlyMap<number, number> }> {
    const range = await resolveRange(this.#client, this.#topic, this.#options.partition, {
      from: { kind: "earliest" },
      ...this.#options.offset,
    });
    const from = new Map<number, number>();
    const until = new Map<number, number>();
    await Promise.all(
      range.partitions.map(async (partition) => {
        const end = range.until?.get(partition) ?? (await this.#client.admin.offset(this.#topic, partition, "latest")).offset;
        const place = range.from.get(partition) ?? "earliest";
        const begin = typeof place === "number" ? place : (await this.#client.admin.offset(this.#topic, partition, place)).offset;
        until.set(partition, end);
        from.set(partition, begin < 0 ? end : begin);
      }),
    );
    return { partitions: range.partitions, from, until };
  }

  #read(
    partition: number,
    from: number,
    range: { readonly until: ReadonlyMap<number, number> },
    sentTo = 0,
  ): ReturnType<Brokerless["reader"]> {
    const until = Math.max(range.until.get(partition) ?? 0, sentTo);
    this.#allOffsets += Math.max(0, until - from);
    return this.#client.reader({
      topic: this.#topic,
      partitions: partition,
      from,
      until: new Map([[partition, until]]),
      follow: false,
      signal: this.#context.io.interrupted,
    });
  }

  async #target(name: string): Promise<TopicInfo> {
    const { admin } = this.#client;
    try {
      return await admin.topic(name);
    } catch (error) {
      if (!(error instanceof BrokerlessError && error.code === "unknown_topic")) throw error;
      if (!this.#options.create) {
        throw new BrokerlessError("unknown_topic", `there is no topic ${name}; --create makes it like ${this.#topic}`, {
          cause: error,
        });
      }
    }
    const [source, configs] = await Promise.all([admin.topic(this.#topic), admin.configs(this.#topic)]);
    return admin.createTopic({
      name,
      partitions: source.partitions,
      replicationFactor: source.replicationFactor,
      configs: Object.fromEntries(configs.filter((config) => !config.isDefault).map((config) => [config.name, config.value])),
    });
  }

  #route(target: TopicInfo, sources: readonly number[]): Route {
    if (this.#options.byKey) return byKey(target.partitions);
    const beyond = sources.find((partition) => partition >= target.partitions);
    if (beyond === undefined) return samePartition;
    throw new UsageError(
      `--to-topic ${target.name}: it has ${plural(target.partitions, "partition")}, and ${this.#topic} has partition ${beyond}; --by-key spreads by key`,
    );
  }

  /** So much that a batch fits, also where its compression gains nothing. */
  async #sliceBytes(target: string): Promise<number> {
    const limit = (await this.#client.admin.configs(target)).find((config) => config.name === "max.message.bytes");
    return Math.max(1, Math.min(SLICE_BYTES, Math.floor(Number(limit?.value ?? SLICE_BYTES) * 0.95)));
  }

  #count(records: number, sizeBytes: number, offsets: number): void {
    this.#records += records;
    this.#sizeBytes += sizeBytes;
    this.#doneOffsets += offsets;
    this.#progress.step();
  }

  async #done(where: Readonly<Record<string, string>>): Promise<void> {
    this.#progress.clear();
    const { err, out, io } = this.#context;
    const complete = !io.interrupted.aborted;
    if (this.#options.json) {
      await out.json({ from: this.#topic, ...where, records: this.#records, bytes: this.#sizeBytes, complete });
    } else if (!this.#options.quiet) {
      const more = complete
        ? ""
        : this.#options.state !== undefined || where["file"] !== undefined
          ? "; stopped, and can go on"
          : "; stopped";
      err.tell(`${this.#summary()}${more}\n`);
    }
  }

  #summary(): string {
    return throughput(this.#records, this.#sizeBytes, this.#progress.elapsedMs);
  }
}

function sizeOfAll(records: readonly { readonly key: Uint8Array | null; readonly value: Uint8Array | null }[]): number {
  let size = 0;
  for (const { key, value } of records) size += (key?.byteLength ?? 0) + (value?.byteLength ?? 0);
  return size;
}
