/** `brokerless topic`: create, list, describe, alter, delete. */
import type { Command } from "commander";
import { BrokerlessError, type TopicInfo } from "../../client/index.ts";
import { type Context, connect, type ServerOptions, withServer } from "../context.ts";
import { UsageError } from "../exit-codes.ts";
import { examples } from "../help.ts";
import { table } from "../ui/table.ts";
import { type ConfigOptions, configChangesOf, withConfigOptions } from "../values/config-changes.ts";
import { configs, whole } from "../values/parsers.ts";

interface JsonOption extends ServerOptions {
  readonly json?: boolean;
}

export function addTopicCommand(program: Command, context: Context): void {
  const topic = program.command("topic").description("create, list, describe, alter and delete topics");
  addCreate(topic, context);
  addList(topic, context);
  addDescribe(topic, context);
  addAlter(topic, context);
  addDelete(topic, context);
}

function subcommand(topic: Command, usage: string, description: string, { io }: Context): Command {
  return withServer(topic.command(usage).description(description), io).option("--json", "print JSON");
}

interface CreateOptions extends JsonOption {
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly config?: Readonly<Record<string, string>>;
  readonly ifNotExists?: boolean;
  readonly dryRun?: boolean;
}

function addCreate(topic: Command, context: Context): void {
  subcommand(topic, "create <topic>", "create a topic", context)
    .option("--partitions <n>", "how many partitions; records of one key always go to the same one", whole(1, 10_000), 1)
    .option("--replication-factor <n>", "-1, or 1 to 3; how many copies there are is up to the storage", whole(-1, 3), -1)
    .option("--config <name=value>", "a config by Kafka's name; may be repeated", configs)
    .option("--if-not-exists", "do nothing when the topic is there already")
    .option("--dry-run", "check everything and create nothing")
    .addHelpText(
      "after",
      examples(
        ["brokerless topic create clicks --partitions 6", "six partitions, kept for seven days (the default)"],
        ["brokerless topic create state --config cleanup.policy=compact", "the latest record of each key is kept"],
        ["brokerless topic create logs --config retention.ms=3600000", "kept for an hour"],
      ),
    )
    .action(async (name: string, options: CreateOptions) => {
      const { admin } = connect(options, context);
      let info: TopicInfo;
      let created = options.dryRun !== true;
      try {
        info = await admin.createTopic({
          name,
          partitions: options.partitions,
          replicationFactor: options.replicationFactor,
          configs: options.config,
          validateOnly: options.dryRun,
        });
      } catch (error) {
        if (!(options.ifNotExists && error instanceof BrokerlessError && error.code === "topic_exists")) throw error;
        info = await admin.topic(name);
        created = false;
      }
      if (options.json) return context.out.json({ ...topicJson(info), created });
      const what = created ? "created" : options.dryRun ? "could be created" : "is there already";
      return context.out.line(`${name} ${what}: ${partitionCount(info.partitions)}`);
    });
}

function addList(topic: Command, context: Context): void {
  subcommand(topic, "list", "list the topics", context)
    .option("--internal", "also those that the system itself writes, __consumer_offsets")
    .addHelpText(
      "after",
      examples(
        ["brokerless topic list", "one line a topic"],
        ["brokerless topic list --json | jq -r '.[].topic'", "names alone"],
      ),
    )
    .action(async (options: JsonOption & { readonly internal?: boolean }) => {
      const all = await connect(options, context).admin.listTopics();
      const topics = all.filter(({ isInternal }) => options.internal || !isInternal);
      if (options.json) return context.out.json(topics.map(topicJson));
      if (topics.length === 0) return context.err.line("no topics yet; brokerless topic create <name> makes one");
      const rows = topics.map((one) => [one.name, one.partitions, one.replicationFactor]);
      return context.out.write(table(["TOPIC", "PARTITIONS", "REPLICATION-FACTOR"], rows));
    });
}

function addDescribe(topic: Command, context: Context): void {
  subcommand(topic, "describe <topic>", "show a topic's partitions, offsets and configs", context)
    .option("--all-configs", "also the configs that have their default value")
    .addHelpText("after", examples(["brokerless topic describe clicks", "where the log of each partition begins and ends"]))
    .action(async (name: string, options: JsonOption & { readonly allConfigs?: boolean }) => {
      const { admin } = connect(options, context);
      const [info, partitions, all] = await Promise.all([admin.topic(name), admin.partitions(name), admin.configs(name)]);
      const shown = all.filter((config) => options.allConfigs || !config.isDefault);
      if (options.json) {
        return context.out.json({
          ...topicJson(info),
          offsets: partitions.map((one) => ({
            partition: one.partition,
            log_start_offset: one.logStartOffset,
            log_end_offset: one.logEndOffset,
          })),
          configs: Object.fromEntries(shown.map((config) => [config.name, config.value])),
        });
      }
      const rows = partitions.map((one) => [
        one.partition,
        one.logStartOffset,
        one.logEndOffset,
        one.logEndOffset - one.logStartOffset,
      ]);
      await context.out.line(`${name}: ${partitionCount(info.partitions)}, replication factor ${info.replicationFactor}`);
      await context.out.write(table(["PARTITION", "LOG-START", "LOG-END", "OFFSETS"], rows));
      if (shown.length > 0)
        await context.out.write(
          `\n${table(
            ["CONFIG", "VALUE"],
            shown.map((config) => [config.name, config.value]),
          )}`,
        );
    });
}

interface AlterOptions extends JsonOption, ConfigOptions {
  readonly partitions?: number;
}

function addAlter(topic: Command, context: Context): void {
  withConfigOptions(subcommand(topic, "alter <topic>", "change a topic's configs, or add partitions", context))
    .option(
      "--partitions <n>",
      "grow to so many partitions (never fewer); keys move, old records stay where they are",
      whole(1, 10_000),
    )
    .addHelpText(
      "after",
      examples(
        ["brokerless topic alter clicks --config retention.ms=86400000", "keep a day"],
        ["brokerless topic alter clicks --delete-config retention.ms", "back to the default"],
        ["brokerless topic alter clicks --partitions 12", "grow"],
      ),
    )
    .action(async (name: string, options: AlterOptions) => {
      const changes = configChangesOf(options);
      const changed = Object.keys(changes);
      if (changed.length === 0 && options.partitions === undefined) {
        throw new UsageError("nothing to alter: give --partitions, --config or --delete-config");
      }
      const { admin } = connect(options, context);
      // Configs first: they can be refused as a whole, and a grown topic does not shrink again.
      if (changed.length > 0) await admin.alterConfigs(name, changes);
      if (options.partitions !== undefined) await admin.growPartitions(name, options.partitions);
      const info = await admin.topic(name);
      if (options.json) return context.out.json({ ...topicJson(info), altered_configs: changed });
      const what = [...changed, ...(options.partitions === undefined ? [] : [partitionCount(info.partitions)])];
      return context.out.line(`${name} altered: ${what.join(", ")}`);
    });
}

function addDelete(topic: Command, context: Context): void {
  subcommand(topic, "delete <topics...>", "delete topics with all their records; there is no way back", context)
    .option("--if-exists", "do nothing for a topic that is not there")
    .addHelpText("after", examples(["brokerless topic delete clicks", "at once and without a question"]))
    .action(async (names: string[], options: JsonOption & { readonly ifExists?: boolean }) => {
      const { admin } = connect(options, context);
      for (const name of names) {
        let deleted = true;
        try {
          await admin.deleteTopic(name);
        } catch (error) {
          if (!(options.ifExists && error instanceof BrokerlessError && error.code === "unknown_topic")) throw error;
          deleted = false;
        }
        if (options.json) await context.out.json({ topic: name, deleted });
        else await context.out.line(`${name} ${deleted ? "deleted" : "is not there"}`);
      }
    });
}

function topicJson(info: TopicInfo): Record<string, unknown> {
  return { topic: info.name, partitions: info.partitions, replication_factor: info.replicationFactor };
}

function partitionCount(n: number): string {
  return n === 1 ? "1 partition" : `${n} partitions`;
}
