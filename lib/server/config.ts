/**
 * What the server can be told, and from where. Precedence: flags, then environment, then the config file, then the
 * defaults. Everything is checked by one schema; an unknown key is refused by its name.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { BrokerlessError } from "../base/errors.ts";
import { type Address, parseAddress } from "./address.ts";

/** The file that is read from the working directory where no other is named. */
export const CONFIG_FILE = "brokerless.json";

const bytes = z
  .int()
  .min(1024)
  .max(2 ** 30);
const milliseconds = z.int().min(0).max(3_600_000);

const schema = z.strictObject({
  http: z.string().default("127.0.0.1:8080").describe("where to listen: host:port; port 0 takes a free one"),
  kafka: z.string().default("127.0.0.1:9092").describe("where Kafka clients connect: host:port, or off"),
  kafkaTlsCert: z.string().min(1).optional().describe("for Kafka clients over TLS: a PEM file with the certificate"),
  kafkaTlsKey: z.string().min(1).optional().describe("and one with its key"),
  kafkaIdleTimeoutMs: z
    .int()
    .min(1000)
    .max(86_400_000)
    .default(600_000)
    .describe("Kafka connections that ask nothing for so long are closed"),
  advertise: z
    .string()
    .optional()
    .describe("host:port that Kafka clients are told to go to; else the address that each has called"),
  autoCreateTopics: z.boolean().default(true).describe("topics that Kafka clients ask for are made (auto.create.topics.enable)"),
  defaultPartitions: z.int().min(1).max(10_000).default(1).describe("partitions of topics that are made so (num.partitions)"),
  groupInitialRebalanceDelayMs: milliseconds
    .default(300)
    .describe("how long the first rebalance of a group waits for more members (group.initial.rebalance.delay.ms)"),
  offsetsRetentionMinutes: z
    .int()
    .min(1)
    .max(10 * 366 * 24 * 60)
    .default(7 * 24 * 60)
    .describe("committed offsets are kept so long after their group has no members (offsets.retention.minutes)"),
  offsetsTopicEnable: z
    .boolean()
    .optional()
    .describe("append each commit to __consumer_offsets too, for tools that tail it; else on, but with storage aws off"),
  offsetsTopicNumPartitions: z
    .int()
    .min(1)
    .max(1000)
    .default(50)
    .describe("partitions of __consumer_offsets when it is made (offsets.topic.num.partitions)"),
  data: z.string().min(1).default("./data").describe("the folder that holds the log"),
  storage: z.enum(["embedded", "memory", "aws"]).default("embedded").describe("where the log lives"),
  table: z.string().min(1).optional().describe("with aws: the DynamoDB table"),
  bucket: z.string().min(1).optional().describe("with aws: the S3 bucket"),
  region: z.string().min(1).optional().describe("with aws: the region; else what the AWS SDK finds (AWS_REGION, the profile)"),
  endpoint: z.url().optional().describe("with aws: another endpoint for both, an emulator's; else AWS_ENDPOINT_URL"),
  jobs: z.boolean().default(true).describe("run the jobs behind the writers here; false where a stack's functions run them"),
  lagIntervalMs: z
    .int()
    .min(100)
    .max(3_600_000)
    .optional()
    .describe("how often the lag of groups is looked at; else every 10,000, with storage aws every 60,000"),
  notifiers: z.string().min(1).optional().describe("a JSON file that says who is told when a group is behind (docs/lag.md)"),
  auth: z
    .enum(["none", "token"])
    .optional()
    .describe(
      "who may call: whoever reaches it, or who has a token; else none on this machine's own address, token on any other",
    ),
  insecure: z.boolean().default(false).describe("allow an address that other machines can reach without asking for tokens"),
  cors: z.array(z.string().min(1)).default([]).describe('origins that browsers may call from; "*" is every one'),
  shutdownTimeoutMs: milliseconds.default(10_000).describe("how long requests may take to finish when the server stops"),
  maxBodyBytes: bytes.default(16 * 1024 * 1024).describe("largest request body, also after decompression"),
  maxInFlightBytes: bytes.default(256 * 1024 * 1024).describe("bytes of all request bodies held at once"),
});

type Settings = z.infer<typeof schema>;
export type ConfigKey = keyof Settings;

/** Keys that mean nothing to another storage. */
const AWS_KEYS = ["table", "bucket", "region", "endpoint"] as const;

/** What holds, all defaults filled in. */
export interface ServerConfig extends Omit<Settings, "http" | "kafka" | "advertise"> {
  readonly http: Address;
  /** Undefined: no listener for Kafka clients. */
  readonly kafka: Address | undefined;
  readonly advertise: Address | undefined;
}

/** The default of a key; undefined where it has none. */
function defaultOf(key: ConfigKey): unknown {
  const { def } = schema.shape[key];
  return def.type === "default" ? def.defaultValue : undefined;
}

/** Every key with its meaning and default: for `--help` and the documentation. */
export const CONFIG_KEYS: readonly { readonly key: ConfigKey; readonly description: string; readonly default: unknown }[] = (
  Object.keys(schema.shape) as ConfigKey[]
).map((key) => ({ key, description: schema.shape[key].description ?? "", default: defaultOf(key) }));

export interface ConfigSources {
  /** By config key: `{ http: "127.0.0.1:0" }`. Undefined is as if absent. */
  readonly flags?: Readonly<Record<string, unknown>>;
  /** `process.env`; only `BROKERLESS_*` is looked at. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** `BROKERLESS_*` variables that mean something to others and are not looked at, e.g. `BROKERLESS_URL`. */
  readonly otherEnv?: readonly string[];
  /** The parsed config file and its name. */
  readonly file?: { readonly name: string; readonly values: unknown };
}

/** `shutdownTimeoutMs` is `BROKERLESS_SHUTDOWN_TIMEOUT_MS` in the environment and `--shutdown-timeout-ms` as a flag. */
export function envName(key: string): string {
  return `BROKERLESS_${key.replace(/[A-Z]/g, "_$&").toUpperCase()}`;
}

export function flagName(key: string): string {
  return `--${key.replace(/[A-Z]/g, "-$&").toLowerCase()}`;
}

/** Joins the sources by precedence. Throws `invalid_config`, naming the source, the key and what it should be. */
export function resolveConfig(sources: ConfigSources): ServerConfig {
  const merged: Record<string, unknown> = {};
  const nameOf = new Map<string, string>();
  const put = (key: string, value: unknown, name: string): void => {
    if (value === undefined) return;
    if (!Object.hasOwn(schema.shape, key)) throw unknownKey(name, key);
    merged[key] = value;
    nameOf.set(key, name);
  };

  if (sources.file !== undefined) {
    const { name, values } = sources.file;
    if (typeof values !== "object" || values === null || Array.isArray(values)) {
      throw new BrokerlessError("invalid_config", `${name}: the config file must hold one JSON object`, { field: name });
    }
    for (const [key, value] of Object.entries(values)) put(key, value, `${name}: ${key}`);
  }
  const envKeys = new Map(Object.keys(schema.shape).map((key) => [envName(key), key]));
  for (const [name, text] of Object.entries(sources.env ?? {})) {
    if (text === undefined || !name.startsWith("BROKERLESS_")) continue;
    if (name === "BROKERLESS_CONFIG" || sources.otherEnv?.includes(name)) continue;
    const key = envKeys.get(name);
    if (key === undefined) throw unknownKey(name, name);
    put(key, fromText(key as ConfigKey, text), name);
  }
  for (const [key, value] of Object.entries(sources.flags ?? {})) {
    const name = flagName(key);
    put(key, typeof value === "string" && Object.hasOwn(schema.shape, key) ? fromText(key as ConfigKey, value) : value, name);
  }

  const checked = schema.safeParse(merged);
  if (!checked.success) {
    const issue = checked.error.issues[0];
    const key = String(issue?.path[0] ?? "");
    const name = nameOf.get(key) ?? key;
    throw new BrokerlessError(
      "invalid_config",
      `${name}: ${issue?.message ?? "is wrong"}; it is ${JSON.stringify(merged[key])}`,
      {
        field: key,
      },
    );
  }
  const { storage } = checked.data;
  for (const key of AWS_KEYS) {
    if (checked.data[key] !== undefined && storage !== "aws") {
      throw new BrokerlessError("invalid_config", `${nameOf.get(key)} is for storage aws; the storage is ${storage}`, {
        field: key,
      });
    }
  }
  const { http, kafka, advertise } = checked.data;
  const address = (key: ConfigKey, text: string): Address => parseAddress(text, nameOf.get(key) ?? key);
  return {
    ...checked.data,
    http: address("http", http),
    kafka: kafka === "off" ? undefined : address("kafka", kafka),
    advertise: advertise === undefined ? undefined : address("advertise", advertise),
  };
}

export interface LoadOptions extends Omit<ConfigSources, "file"> {
  /** The config file; must exist. Default: `BROKERLESS_CONFIG`, else `brokerless.json` where there is one. */
  readonly configFile?: string;
  /** Where `brokerless.json` is looked for. Default: the working directory. */
  readonly cwd?: string;
}

/** Reads the config file and joins all sources. Throws `invalid_config`. */
export async function loadConfig(options: LoadOptions = {}): Promise<ServerConfig> {
  const named = options.configFile ?? options.env?.["BROKERLESS_CONFIG"];
  const name = named ?? CONFIG_FILE;
  let text: string | undefined;
  try {
    text = await readFile(named ?? join(options.cwd ?? ".", CONFIG_FILE), "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (named !== undefined || code !== "ENOENT") {
      throw new BrokerlessError("invalid_config", `the config file ${name} cannot be read (${code})`, { field: "config", cause });
    }
  }
  if (text === undefined) return resolveConfig(options);
  let values: unknown;
  try {
    values = JSON.parse(text);
  } catch (cause) {
    throw new BrokerlessError("invalid_config", `${name}: ${(cause as Error).message}`, { field: "config", cause });
  }
  return resolveConfig({ ...options, file: { name, values } });
}

function unknownKey(name: string, key: string): BrokerlessError {
  const known = Object.keys(schema.shape).join(", ");
  return new BrokerlessError("invalid_config", `${name} is not known; the server knows ${known}`, { field: key });
}

/** A flag or a variable is text; the schema wants the type. What does not fit is left as it is, for the schema to refuse. */
function fromText(key: ConfigKey, text: string): unknown {
  const kind = schema.shape[key].def.innerType.def.type;
  if (kind === "boolean") return text === "true" || text === "1" ? true : text === "false" || text === "0" ? false : text;
  if (kind === "number") return /^\d+$/.test(text) ? Number(text) : text;
  if (kind === "array")
    return text
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== "");
  return text;
}
