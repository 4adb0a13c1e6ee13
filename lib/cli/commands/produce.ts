/** `brokerless produce`: lines of files or stdin to a topic. */
import type { Command } from "commander";
import { BrokerlessError, type Producer, type ProducerRecord, type RecordMetadata } from "../../client/index.ts";
import { type Context, connect, type ServerOptions, withServer } from "../context.ts";
import { UsageError } from "../exit-codes.ts";
import { examples } from "../help.ts";
import { parseJsonRecord } from "../input/json-record.ts";
import { lineRecord } from "../input/line-record.ts";
import { linesOf } from "../input/pieces.ts";
import { type Source, sourcesOf, untilAborted } from "../input/sources.ts";
import { plural, throughput } from "../ui/numbers.ts";
import { bar, Progress } from "../ui/progress.ts";
import { acks, codec, delimiter, headers, whole } from "../values/parsers.ts";
import { topicOf, withTopic } from "../values/topic-argument.ts";

interface ProduceOptions extends ServerOptions {
  readonly topic?: string;
  readonly partition?: number;
  readonly keyDelimiter?: Uint8Array;
  readonly delimiter?: Uint8Array;
  readonly key?: string;
  readonly header?: readonly { readonly key: string; readonly value: string | null }[];
  readonly json?: boolean;
  readonly null?: boolean;
  readonly compression?: NonNullable<Parameters<ReturnType<typeof connect>["producer"]>[0]>["compression"];
  readonly acks: 0 | 1 | "all";
  readonly linger?: number;
  readonly tee?: boolean;
  readonly report?: boolean;
  readonly quiet?: boolean;
}

export function addProduceCommand(program: Command, context: Context): void {
  withServer(
    withTopic(program.command("produce").description("write records: every line of stdin, or of files, is one")),
    context.io,
  )
    .argument("[files...]", "files to read, one after the other; - is stdin")
    .option("-K, --key-delimiter <text>", "what is before it in a line is the key", delimiter)
    .option("-k, --key <text>", "the key of every record that has none of its own")
    .option("-D, --delimiter <text>", "what ends a record (default: \\n)", delimiter)
    .option("-J, --json", "lines are JSON: key, value, headers, partition, timestamp; or what consume --json prints")
    .option("-p, --partition <n>", "write to this partition (default: by key, else spread)", whole(0, 2 ** 31 - 1))
    .option("-H, --header <name=value>", "a header for every record; may be repeated", headers)
    .option("-Z, --null", "empty keys and values become null (tombstones)")
    .option("-z, --compression <codec>", "none, gzip, snappy, lz4 or zstd (default: none)", codec)
    .option("--acks <n>", "all and 1: durable when answered; 0: do not wait", acks, "all")
    .option("--linger <ms>", "wait so long for a batch to fill", whole(0, 60_000))
    .option("-T, --tee", "also write the input to stdout")
    .option("--report", "print where each record was written, a JSON line each")
    .option("-q, --quiet", "no progress and no summary")
    .addHelpText(
      "after",
      `${examples(
        ["echo 'hello' | brokerless produce greetings", "one record"],
        ["brokerless produce clicks -K , clicks.csv", "the first column is the key, the rest the value"],
        ["tail -f access.log | brokerless produce logs -H host=web1", "as the lines come"],
        ["brokerless consume clicks -e -J | brokerless produce copy -J", "a copy, with keys, headers and timestamps"],
        ["brokerless produce state -k ada -Z < /dev/null", "nothing: no line, no record"],
      )}

Records are written once and in order, whatever has to be tried again. The first record that fails ends the command; the
message names its line, and how many records were written.`,
    )
    .action((argument: string | undefined, files: string[], options: ProduceOptions) =>
      produce(argument, files, options, context),
    );
}

async function produce(argument: string | undefined, files: string[], options: ProduceOptions, context: Context): Promise<void> {
  // With -t the first argument is a file already.
  const [topicArgument, names] =
    options.topic !== undefined && argument !== undefined ? [undefined, [argument, ...files]] : [argument, files];
  const topic = topicOf(topicArgument, options.topic);
  if (options.json && (options.keyDelimiter !== undefined || options.delimiter !== undefined)) {
    throw new UsageError("--json lines have their key in them: -K and -D do not go with it");
  }
  if (options.report && options.tee) throw new UsageError("--report and --tee both write to stdout: give one of them");
  const sources = await sourcesOf(names, context.io);
  if (sources.some(({ name }) => name === "stdin") && context.io.stdin.isTTY && !options.quiet) {
    context.err.tell("every line is a record; Ctrl-D ends\n");
  }
  const client = connect(options, context);
  // An unknown topic is better told before the first line is read.
  await client.admin.topic(topic);
  await using producer = client.producer({
    acks: options.acks,
    lingerMs: options.linger ?? 0,
    ...(options.compression === undefined ? {} : { compression: options.compression }),
  });
  await new Production(topic, options, context, producer).run(sources);
}

/** One run: what was read, what is written, what failed. */
class Production {
  readonly #topic: string;
  readonly #options: ProduceOptions;
  readonly #context: Context;
  readonly #producer: Producer;
  readonly #stop = new AbortController();
  readonly #progress: Progress;
  #written = 0;
  #sizeBytes = 0;
  #readBytes = 0;
  #failure: unknown;
  #reported: Promise<void> = Promise.resolve();

  constructor(topic: string, options: ProduceOptions, context: Context, producer: Producer) {
    this.#topic = topic;
    this.#options = options;
    this.#context = context;
    this.#producer = producer;
    this.#progress = new Progress(context.err, !options.quiet, () => this.#status());
  }

  #totalBytes: number | undefined;

  async run(sources: readonly Source[]): Promise<void> {
    const { err, io } = this.#context;
    const sizes = sources.map(({ sizeBytes }) => sizeBytes);
    this.#totalBytes = sizes.includes(undefined) ? undefined : sizes.reduce((sum: number, size) => sum + (size ?? 0), 0);
    const signal = AbortSignal.any([io.interrupted, this.#stop.signal]);
    try {
      for (const source of sources) await this.#send(source, signal);
    } catch (error) {
      this.#fail(error);
    }
    await this.#producer.flush();
    await this.#reported.catch((error) => this.#fail(error));
    this.#progress.clear();
    if (this.#failure !== undefined) throw this.#failed();
    if (!this.#options.quiet && (io.interrupted.aborted || err.isTty)) err.tell(`${this.#summary()}\n`);
  }

  async #send(source: Source, signal: AbortSignal): Promise<void> {
    const { tee, json, delimiter: end = Uint8Array.of(10) } = this.#options;
    let line = 0;
    for await (const lines of linesOf(this.#counted(untilAborted(source.open(), signal)), end)) {
      const first = line + 1;
      line += lines.length;
      const records: ProducerRecord[] = [];
      const lineOf: number[] = [];
      let bad: Error | undefined;
      for (const [i, text] of lines.entries()) {
        // The line feed at the end of a file is not a JSON line.
        if (json && isBlank(text)) continue;
        try {
          records.push(this.#record(text));
          lineOf.push(first + i);
        } catch (error) {
          bad = new Error(`${source.name}:${first + i}: ${(error as Error).message}`);
          break;
        }
      }
      await this.#producer.ready();
      this.#deliver(records, (index) => `${source.name}:${lineOf[index]}`);
      if (tee) await this.#context.out.write(Buffer.concat(lines.flatMap((text) => [text, end])));
      this.#progress.step();
      if (bad !== undefined) throw bad;
      if (signal.aborted) return;
    }
  }

  #record(line: Uint8Array): ProducerRecord {
    const { json, keyDelimiter, key, null: emptyIsNull = false, header = [], partition } = this.#options;
    const parts: Omit<ProducerRecord, "topic"> = json
      ? parseJsonRecord(line)
      : lineRecord(line, { keyDelimiter, key, emptyIsNull });
    const own = parts.headers as readonly { key: string; value: string | null }[] | undefined;
    return {
      ...parts,
      topic: this.#topic,
      ...(json && parts.key === null && key !== undefined ? { key } : {}),
      ...(partition === undefined ? {} : { partition }),
      ...(header.length === 0 ? {} : { headers: [...header, ...(own ?? [])] }),
    };
  }

  #deliver(records: readonly ProducerRecord[], place: (index: number) => string): void {
    const delivered = this.#producer.sendBatch(records).then(
      (places) => {
        this.#written += places.length;
        for (const { key, value } of records) this.#sizeBytes += lengthOf(key) + lengthOf(value);
        this.#progress.step();
        return places;
      },
      (error: BrokerlessError) => {
        this.#written += Number(error.details["writtenCount"] ?? 0);
        const cause = error.cause instanceof BrokerlessError ? error.cause : error;
        const where = place(Number(error.details["recordIndex"]));
        this.#fail(
          new BrokerlessError(cause.code, `${where}: ${cause.message}`, {
            outcome: cause.outcome,
            details: cause.details,
            cause,
          }),
        );
        return [];
      },
    );
    if (this.#options.report) this.#reported = this.#reported.then(async () => this.#report(await delivered));
  }

  async #report(places: readonly RecordMetadata[]): Promise<void> {
    await this.#context.out.write(
      places
        .map(
          ({ topic, partition, offset, timestampMs }) =>
            `${JSON.stringify({ topic, partition, offset, timestamp: timestampMs })}\n`,
        )
        .join(""),
    );
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#stop.abort();
  }

  /** The failure, and how far it got. */
  #failed(): unknown {
    const error = this.#failure;
    const so = `${plural(this.#written, "record")} written before that`;
    if (error instanceof BrokerlessError) {
      return new BrokerlessError(error.code, `${error.message} (${so})`, {
        outcome: error.outcome,
        details: error.details,
        cause: error,
      });
    }
    return error instanceof Error && error.name === "Error" ? new Error(`${error.message} (${so})`, { cause: error }) : error;
  }

  async *#counted(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
    for await (const chunk of input) {
      this.#readBytes += chunk.byteLength;
      yield chunk;
    }
  }

  #status(): string {
    const share = this.#totalBytes === undefined || this.#totalBytes === 0 ? "" : `${bar(this.#readBytes / this.#totalBytes)}  `;
    return `${share}${this.#summary()}`;
  }

  #summary(): string {
    return throughput(this.#written, this.#sizeBytes, this.#progress.elapsedMs, ` to ${this.#topic}`);
  }
}

function lengthOf(bytes_: ProducerRecord["value"]): number {
  return bytes_?.length ?? 0;
}

function isBlank(line: Uint8Array): boolean {
  return line.every((byte) => byte === 32 || byte === 9 || byte === 13);
}
