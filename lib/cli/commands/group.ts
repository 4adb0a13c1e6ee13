/** `brokerless group`: list, describe, reset, delete; columns and options as Kafka's kafka-consumer-groups has them. */
import { type Command, Option } from "commander";
import { type Brokerless, BrokerlessError, type GroupMember } from "../../client/index.ts";
import { type Context, connect, type ServerOptions, withServer } from "../context.ts";
import { UsageError } from "../exit-codes.ts";
import { examples } from "../help.ts";
import { table } from "../ui/table.ts";
import { whole } from "../values/parsers.ts";
import { dateTime, duration, type ResetSpec, type TopicChoice, targetOffset, topicWithPartitions } from "../values/reset-spec.ts";
import { addAlter, printConfigs } from "./group-configs.ts";

interface JsonOption extends ServerOptions {
  readonly json?: boolean;
}

export function addGroupCommand(program: Command, context: Context): void {
  const group = program.command("group").description("list, describe, reset, alter and delete consumer groups");
  addList(group, context);
  addDescribe(group, context);
  addReset(group, context);
  addAlter(subcommand(group, "alter <group>", "change the configs of a group, which need not be there yet", context), context);
  addDelete(group, context);
}

function subcommand(group: Command, usage: string, description: string, { io }: Context): Command {
  return withServer(group.command(usage).description(description), io).option("--json", "print JSON");
}

function addList(group: Command, context: Context): void {
  subcommand(group, "list", "list the groups", context)
    .addHelpText("after", examples(["brokerless group list", "one line a group"]))
    .action(async (options: JsonOption) => {
      const groups = await connect(options, context).groups.list();
      if (options.json) return context.out.json(groups);
      if (groups.length === 0) return context.err.line("no groups yet; brokerless consume <topic> --group <name> makes one");
      return context.out.write(
        table(
          ["GROUP", "TYPE", "STATE"],
          groups.map((one) => [one.group, one.type, one.state]),
        ),
      );
    });
}

const COLUMNS = ["GROUP", "TOPIC", "PARTITION", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG", "CONSUMER-ID", "HOST", "CLIENT-ID"];

interface Row {
  readonly topic: string;
  readonly partition: number;
  /** Undefined: nothing is committed. */
  readonly currentOffset: number | undefined;
  readonly logEndOffset: number;
  readonly lag: number | undefined;
  readonly member: GroupMember | undefined;
}

function addDescribe(group: Command, context: Context): void {
  subcommand(group, "describe <group>", "what a group has committed, how far behind it is, and who reads", context)
    .option("--members", "its members instead")
    .addOption(new Option("--configs", "its configs instead").conflicts("members"))
    .addHelpText(
      "after",
      examples(
        ["brokerless group describe billing", "a line for each partition"],
        ["brokerless group describe billing --json | jq '[.partitions[].lag] | add'", "how far behind it is in all"],
      ),
    )
    .action(async (name: string, options: JsonOption & { readonly members?: boolean; readonly configs?: boolean }) => {
      const client = connect(options, context);
      if (options.configs) return printConfigs(client, name, options.json === true, context);
      const described = await client.groups.describe(name);
      if (options.members) {
        if (options.json) return context.out.json(described.members);
        const rows = described.members.map((one) => [
          name,
          one.memberId,
          one.clientHost,
          one.clientId,
          one.assignment.reduce((sum, { partitions }) => sum + partitions.length, 0),
          one.assignment.map(({ topic, partitions }) => `${topic}(${partitions.join(",")})`).join(" ") || "-",
        ]);
        return context.out.write(table(["GROUP", "CONSUMER-ID", "HOST", "CLIENT-ID", "#PARTITIONS", "ASSIGNMENT"], rows));
      }
      const rows = await rowsOf(client, name, described.members);
      if (options.json) {
        return context.out.json({
          group: name,
          type: described.type,
          state: described.state,
          partitions: rows.map(({ member, currentOffset, logEndOffset, lag, topic, partition }) => ({
            topic,
            partition,
            current_offset: currentOffset ?? null,
            log_end_offset: logEndOffset,
            lag: lag ?? null,
            consumer_id: member?.memberId ?? null,
            host: member?.clientHost ?? null,
            client_id: member?.clientId ?? null,
          })),
        });
      }
      if (described.members.length === 0) context.err.tell(`group "${name}" has no active members\n`);
      return context.out.write(
        table(
          COLUMNS,
          rows.map((row) => cells(name, row)),
        ),
      );
    });
}

function cells(group: string, { topic, partition, currentOffset, logEndOffset, lag, member }: Row): (string | number)[] {
  return [
    group,
    topic,
    partition,
    currentOffset ?? "-",
    logEndOffset,
    lag ?? "-",
    member?.memberId ?? "-",
    member?.clientHost || "-",
    member?.clientId ?? "-",
  ];
}

async function rowsOf(client: Brokerless, group: string, members: readonly GroupMember[]): Promise<Row[]> {
  const owners = new Map(
    members.flatMap((member) =>
      member.assignment.flatMap(({ topic, partitions }) =>
        partitions.map((partition): [string, GroupMember] => [`${topic} ${partition}`, member]),
      ),
    ),
  );
  const committed = new Map<string, number>(
    (await client.groups.offsets(group)).map((one) => [`${one.topic} ${one.partition}`, one.offset]),
  );
  const names = [...new Set([...owners.keys(), ...committed.keys()])];
  const topics = [...new Set(names.map((name) => name.slice(0, name.lastIndexOf(" "))))].sort();
  const rows: Row[] = [];
  for (const topic of topics) {
    for (const { partition, logEndOffset } of await partitionsOf(client, topic)) {
      const name = `${topic} ${partition}`;
      if (!owners.has(name) && !committed.has(name)) continue;
      const currentOffset = committed.get(name);
      const lag = currentOffset === undefined ? undefined : Math.max(0, logEndOffset - currentOffset);
      rows.push({ topic, partition, currentOffset, logEndOffset, lag, member: owners.get(name) });
    }
  }
  return rows;
}

/** None of a topic that is gone: its offsets are going too. */
async function partitionsOf({ admin }: Brokerless, topic: string) {
  try {
    return await admin.partitions(topic);
  } catch (error) {
    if (error instanceof BrokerlessError && error.code === "unknown_topic") return [];
    throw error;
  }
}

interface ResetOptions extends JsonOption {
  readonly topic?: readonly TopicChoice[];
  readonly allTopics?: boolean;
  readonly toEarliest?: boolean;
  readonly toLatest?: boolean;
  readonly toCurrent?: boolean;
  readonly toOffset?: number;
  readonly toDatetime?: number;
  readonly byDuration?: number;
  readonly shiftBy?: number;
  readonly execute?: boolean;
  readonly dryRun?: boolean;
}

function addReset(group: Command, context: Context): void {
  subcommand(group, "reset <group>", "set the offsets of a group that has no members", context)
    .option("-t, --topic <topic>", "this topic, or topic:0,2 for some of its partitions; may be repeated", topicWithPartitions)
    .option("--all-topics", "every topic that the group has committed")
    .option("--to-earliest", "to where the log begins")
    .option("--to-latest", "to where the log ends")
    .option("--to-current", "to where it is, within what the log has")
    .option("--to-offset <n>", "to this offset, within what the log has", whole(0))
    .option("--to-datetime <time>", "to the first record at or after it: 2026-01-31T23:59:59.000", dateTime)
    .option("--by-duration <duration>", "to the first record so long before now: PT1H, P1D", duration)
    .option("--shift-by <n>", "so many records on, or back with -n", whole(-Number.MAX_SAFE_INTEGER))
    .addOption(new Option("--execute", "do it; without it the command only says what it would do"))
    .addOption(new Option("--dry-run", "say what it would do (the default)").conflicts("execute"))
    .addHelpText(
      "after",
      examples(
        ["brokerless group reset billing --topic orders --to-earliest", "what would be set"],
        ["brokerless group reset billing --topic orders:0,2 --by-duration PT1H --execute", "an hour back, in two partitions"],
        ["brokerless group reset billing --all-topics --shift-by -10 --execute", "ten records back, everywhere"],
      ),
    )
    .action((name: string, options: ResetOptions) => reset(name, options, context));
}

const WAYS: readonly (keyof ResetOptions & string)[] = [
  "toEarliest",
  "toLatest",
  "toCurrent",
  "toOffset",
  "toDatetime",
  "byDuration",
  "shiftBy",
];

function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function specOf(options: ResetOptions): ResetSpec {
  const given = WAYS.filter((name) => options[name] !== undefined);
  if (given.length !== 1) throw new UsageError(`where to? Give one of ${WAYS.map(flagOf).join(" ")}`);
  switch (given[0]) {
    case "toEarliest":
      return { kind: "earliest" };
    case "toLatest":
      return { kind: "latest" };
    case "toCurrent":
      return { kind: "current" };
    case "toOffset":
      return { kind: "offset", offset: options.toOffset as number };
    case "toDatetime":
      return { kind: "time", timestampMs: options.toDatetime as number };
    case "byDuration":
      return { kind: "time", timestampMs: Date.now() - (options.byDuration as number) };
    default:
      return { kind: "shift", by: options.shiftBy as number };
  }
}

async function reset(name: string, options: ResetOptions, context: Context): Promise<void> {
  const spec = specOf(options);
  const client = connect(options, context);
  if ((options.topic === undefined) === (options.allTopics !== true)) throw new UsageError("which? Give --topic or --all-topics");
  const committed = await client.groups.offsets(name);
  const choices =
    options.topic ?? [...new Set(committed.map(({ topic }) => topic))].sort().map((topic) => ({ topic, partitions: undefined }));
  const current = new Map(committed.map((one) => [`${one.topic} ${one.partition}`, one.offset]));
  const targets: { topic: string; partition: number; before: number | undefined; offset: number }[] = [];
  for (const { topic, partitions } of choices) {
    const all = await client.admin.partitions(topic);
    const missing = partitions?.find((partition) => partition >= all.length);
    if (missing !== undefined)
      throw new UsageError(`--topic ${topic}: it has the partitions 0 to ${all.length - 1}, not ${missing}`);
    for (const info of all) {
      const { partition } = info;
      const before = current.get(`${topic} ${partition}`);
      if (partitions !== undefined ? !partitions.includes(partition) : options.allTopics === true && before === undefined)
        continue;
      const timeOffset = spec.kind === "time" ? (await client.admin.offset(topic, partition, spec)).offset : -1;
      targets.push({ topic, partition, before, offset: targetOffset(spec, info, before, timeOffset) });
    }
  }
  if (options.execute === true && targets.length > 0) {
    const failed = (
      await client.groups.setOffsets(
        name,
        targets.map(({ topic, partition, offset }) => ({ topic, partition, offset })),
      )
    ).find(({ error }) => error !== undefined);
    if (failed?.error !== undefined) throw failed.error;
  }
  if (options.json) {
    const partitions = targets.map(({ topic, partition, before, offset }) => ({
      topic,
      partition,
      from: before ?? null,
      to: offset,
    }));
    return context.out.json({ group: name, executed: options.execute === true, partitions });
  }
  const rows = targets.map(({ topic, partition, before, offset }) => [name, topic, partition, before ?? "-", offset]);
  await context.out.write(table(["GROUP", "TOPIC", "PARTITION", "CURRENT-OFFSET", "NEW-OFFSET"], rows));
  if (options.execute !== true) context.err.tell("nothing was set; --execute does it\n");
}

function addDelete(group: Command, context: Context): void {
  subcommand(group, "delete <group>", "delete a group that has no members, with its offsets", context)
    .option("--if-exists", "do nothing when it is not there")
    .addHelpText("after", examples(["brokerless group delete billing", "offsets and all"]))
    .action(async (name: string, options: JsonOption & { readonly ifExists?: boolean }) => {
      let deleted = true;
      try {
        await connect(options, context).groups.delete(name);
      } catch (error) {
        if (!(options.ifExists && error instanceof BrokerlessError && error.code === "unknown_group")) throw error;
        deleted = false;
      }
      if (options.json) return context.out.json({ group: name, deleted });
      return context.out.line(`${name} ${deleted ? "deleted" : "is not there"}`);
    });
}
