/** `brokerless lag`: how far consumer groups are behind, what hurts most first. */

import { type Command, InvalidArgumentError } from "commander";
import { snakeCase } from "../../base/names.ts";
import type { Brokerless, PartitionLag, TopicLag } from "../../client/index.ts";
import { sleep } from "../../client/retry.ts";
import { type Context, connect, type ServerOptions, withServer } from "../context.ts";
import { examples } from "../help.ts";
import { duration } from "../ui/numbers.ts";
import { sparkline } from "../ui/sparkline.ts";
import { table } from "../ui/table.ts";
import { byAge, queueTable } from "./queue.ts";

interface LagOptions extends ServerOptions {
  readonly watch?: boolean;
  readonly interval: number;
  readonly json?: boolean;
}

/** From bad to well. */
const SEVERITY = ["REWIND", "STALL", "STOP", "ERR", "WARN", "OK"];
const CLEAR_SCREEN = "\x1b[H\x1b[2J";

export function addLagCommand(program: Command, context: Context): void {
  withServer(program.command("lag [group]").description("how far consumer groups are behind, what hurts most first"), context.io)
    .option("--watch", "again and again, until it is stopped")
    .option("--interval <seconds>", "with --watch: how often", seconds, 2)
    .option("--json", "print JSON, one line each time")
    .addHelpText(
      "after",
      `${examples(
        ["brokerless lag", "a line for each group and topic"],
        ["brokerless lag billing --watch", "one group, partition by partition, as it goes"],
        ["brokerless lag --json | jq '.[] | select(.status != \"OK\")'", "what is not well"],
      )}

OK; WARN: slower than what comes in; ERR: the commit is beyond the log end; STOP: no longer commits; STALL: commits, and stands
still; REWIND: went back. A time with ">" is a lower bound. LOST is gone before the group read it.
Queues come below: how much there is to do, and how old the oldest of it is (as JSON: brokerless queue list --json).`,
    )
    .action(async (group: string | undefined, options: LagOptions) => {
      const client = connect(options, context);
      const { interrupted } = context.io;
      for (;;) {
        await show(client, group, options, context);
        if (!options.watch || interrupted.aborted) return;
        await sleep(options.interval * 1000, interrupted);
        if (interrupted.aborted) return;
      }
    });
}

async function show(
  client: Brokerless,
  group: string | undefined,
  { watch, json }: LagOptions,
  { out, err }: Context,
): Promise<void> {
  const rows = group === undefined ? (await client.groups.lags()).sort(byPain) : (await client.groups.lag(group)).sort(byPain);
  if (json) return out.json(rows.map(jsonOf));
  const clear = watch === true && out.isTty ? CLEAR_SCREEN : "";
  // A queue commits nothing: what it has to do is shown below. A group that has committed is none.
  const isOther = group !== undefined && rows.length > 0;
  const queues = (isOther ? [] : await client.queues.list())
    .filter((one) => group === undefined || one.group === group)
    .sort(byAge);
  const queued = queues.length === 0 ? "" : queueTable(queues);
  if (rows.length === 0) {
    if (clear !== "" || queued !== "") await out.write(clear + queued);
    if (queued !== "") return;
    return err.tell(group === undefined ? "no group has committed yet\n" : `group "${group}" has committed nothing yet\n`);
  }
  const [first] = rows;
  const text =
    first !== undefined && "group" in first
      ? table([...HEAD("GROUP", "TOPIC"), "PARTITIONS", "LATELY"], (rows as TopicLag[]).map(topicCells))
      : table([...HEAD("TOPIC", "PARTITION"), "CLIENT-ID", "LATELY"], (rows as PartitionLag[]).map(partitionCells));
  return out.write(`${clear}${text}${queued === "" ? "" : `\n${queued}`}`);
}

const HEAD = (...names: string[]): string[] => [...names, "STATUS", "LAG", "BEHIND", "CATCH-UP", "LOST"];

function topicCells(row: TopicLag): (string | number)[] {
  return [row.group, row.topic, ...numbers(row), row.partitions, sparkline(row.recentLags)];
}

function partitionCells(row: PartitionLag): (string | number)[] {
  return [row.topic, row.partition, ...numbers(row), row.clientId ?? "-", sparkline(row.recentLags)];
}

type Common = Omit<TopicLag, "group" | "partitions">;

function numbers({ status, lag, lagSeconds, exact, catchUpSeconds, lostRecords }: Common): (string | number)[] {
  const behind = lag === 0 ? "-" : `${exact ? "" : ">"}${duration(lagSeconds * 1000)}`;
  const catchUp = lag === 0 || catchUpSeconds === undefined ? "-" : duration(catchUpSeconds * 1000);
  return [status, lag, behind, catchUp, lostRecords];
}

/** The worst status first; of one status the longest wait, then the most records. */
export function byPain(a: Common, b: Common): number {
  return SEVERITY.indexOf(a.status) - SEVERITY.indexOf(b.status) || b.lagSeconds - a.lagSeconds || b.lag - a.lag;
}

function jsonOf(row: TopicLag | PartitionLag): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      snakeCase(name),
      value === undefined ? null : Array.isArray(value) ? value.map((one) => one ?? null) : value,
    ]),
  );
}

function seconds(text: string): number {
  const value = Number(text);
  if (!(value >= 0.1 && value <= 3600)) throw new InvalidArgumentError("takes seconds from 0.1 to 3600.");
  return value;
}
