/** `brokerless verify`: is everything that a topic has as it was written? */

import type { Command } from "commander";
import { snakeCased } from "../../base/names.ts";
import { BrokerlessError, type VerifyLine } from "../../client/index.ts";
import type { VerifyEvent } from "../../log/index.ts";
import { type Context, connect, type ServerOptions, withServer } from "../context.ts";
import { examples } from "../help.ts";
import { openNamedStorage, type StorageOptions, withStorage } from "../storage-options.ts";
import { bar, Progress } from "../ui/progress.ts";
import { whole } from "../values/parsers.ts";
import { topicOf, withTopic } from "../values/topic-argument.ts";

interface VerifyOptions extends ServerOptions, StorageOptions {
  readonly topic?: string;
  readonly partition?: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export function addVerifyCommand(program: Command, context: Context): void {
  const command = program
    .command("verify")
    .description("check CRCs, offsets and segments of a topic; exits with 1 where something is damaged");
  withStorage(withServer(withTopic(command), context.io))
    .option("-p, --partition <n>", "only this partition (default: all)", whole(0, 2 ** 31 - 1))
    .option("--json", "print JSON lines: problems, progress, a line for each partition")
    .option("-q, --quiet", "no progress")
    .addHelpText(
      "after",
      `${examples(
        ["brokerless verify clicks", "every byte that the topic has is read"],
        ["brokerless verify clicks -p 3 --json", "one partition, as JSON lines"],
        ["brokerless verify clicks --data ./data", "over the data of a server that is stopped"],
      )}

What is damaged is named with its offsets; everything else is checked all the same, and nothing is changed.`,
    )
    .action(async (argument: string | undefined, options: VerifyOptions, self: Command) => {
      const topic = topicOf(argument, options.topic);
      const opened = await openNamedStorage(options, self.getOptionValueSource("url") === "cli");
      try {
        const { partition } = options;
        const lines =
          opened === undefined
            ? connect(options, context).admin.verify(topic, { partition, signal: context.io.interrupted })
            : shown(opened.log.verify(topic, partition === undefined ? undefined : [partition]));
        await verify(topic, lines, options, context);
      } finally {
        await opened?.close();
      }
    });
}

async function* shown(events: AsyncIterable<VerifyEvent>): AsyncGenerator<VerifyLine> {
  for await (const event of events) yield snakeCased(event) as unknown as VerifyLine;
}

async function verify(
  topic: string,
  lines: AsyncIterable<VerifyLine>,
  options: VerifyOptions,
  { io, out, err }: Context,
): Promise<void> {
  let at: Extract<VerifyLine, { kind: "progress" }> | undefined;
  let problems = 0;
  const progress = new Progress(err, !options.json && !options.quiet, () =>
    at === undefined ? "" : `${topic}-${at.partition}  ${bar(at.log_end_offset === 0 ? 1 : at.offset / at.log_end_offset)}`,
  );
  for await (const line of lines) {
    if (io.interrupted.aborted) break;
    if (line.kind === "problem") problems++;
    if (options.json) {
      await out.json(line);
      continue;
    }
    if (line.kind === "progress") {
      at = line;
      progress.step();
      continue;
    }
    progress.clear();
    await out.line(textOf(topic, line));
  }
  progress.clear();
  if (problems > 0) {
    const what = problems === 1 ? "1 problem" : `${problems} problems`;
    throw new BrokerlessError("corrupt_log", `topic "${topic}" has ${what}`);
  }
}

function textOf(topic: string, line: Exclude<VerifyLine, { kind: "progress" }>): string {
  const name = `${topic}-${line.partition}`;
  if (line.kind === "problem") return `${name}: offsets ${line.base_offset} to ${line.last_offset}: ${line.what} (${line.where})`;
  const where = `${line.segments} segments, ${line.blobs} blobs, ${line.size_bytes} bytes`;
  const verdict = line.problems === 0 ? "ok" : `${line.problems} problems`;
  return `${name}: offsets ${line.log_start_offset} to ${line.log_end_offset}, ${line.records} records in ${where}: ${verdict}`;
}
