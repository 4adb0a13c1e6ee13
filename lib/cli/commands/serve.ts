/** `brokerless serve`: the server in this process. */
import type { Command } from "commander";
import { BrokerlessError } from "../../base/errors.ts";
import { CONFIG_KEYS, type ConfigKey, flagName, loadConfig, type ServerConfig } from "../../server/config.ts";
import type { RunningServer } from "../../server/types.ts";
import { snsIn } from "../aws-signing.ts";
import { type Context, DEFAULT_URL } from "../context.ts";
import { UsageError } from "../exit-codes.ts";
import { examples } from "../help.ts";

/** Variables with our prefix that are the client's. */
const CLIENT_ENV = ["BROKERLESS_URL", "BROKERLESS_TOKEN"];

const VALUE_NAMES: Partial<Record<ConfigKey, string>> = {
  http: "host:port",
  kafka: "host:port",
  kafkaTlsCert: "file",
  kafkaTlsKey: "file",
  advertise: "host:port",
  autoCreateTopics: "true|false",
  data: "dir",
  storage: "kind",
  auth: "none|token",
  table: "name",
  bucket: "name",
  region: "name",
  endpoint: "url",
  jobs: "true|false",
  notifiers: "file",
  cors: "origins",
};

export function addServeCommand(program: Command, context: Context): void {
  const command = program
    .command("serve")
    .description("run the server: HTTP, and Kafka's protocol, over a log on this machine, or over a table and a bucket of AWS")
    .option("--config <file>", "a JSON file of the settings below; else BROKERLESS_CONFIG, else brokerless.json where it is");
  for (const { key, description, default: value } of CONFIG_KEYS) {
    const shown = value === undefined || (Array.isArray(value) && value.length === 0) ? "" : ` (default: ${String(value)})`;
    // Whether a value is right is the schema's to say, for flags as for the other sources.
    if (value === false) command.option(flagName(key), description);
    else command.option(`${flagName(key)} <${VALUE_NAMES[key] ?? "n"}>`, `${description}${shown}`);
  }
  command
    .option("--json", "print JSON lines")
    .addHelpText(
      "after",
      `${examples(
        ["brokerless serve", "listen on 127.0.0.1:8080 and, for Kafka clients, on 127.0.0.1:9092; keep the log in ./data"],
        ["brokerless serve --http 127.0.0.1:0 --kafka off --storage memory", "a free port, no Kafka clients, and nothing kept"],
        [
          "brokerless serve --storage aws --table events --bucket my-events --jobs false",
          "one of many agents over a deployed log",
        ],
        ["BROKERLESS_DATA=/var/lib/brokerless brokerless serve", "settings by environment"],
      )}

A flag goes before the environment (BROKERLESS_ and the flag's name, as in BROKERLESS_MAX_BODY_BYTES), that before the
config file. Ctrl-C lets requests finish, then closes the log; a second Ctrl-C ends at once, and loses nothing that was
acknowledged.`,
    )
    .action((options: Record<string, unknown>) =>
      serve(options, context).catch((error: unknown) => {
        // Wherever a setting comes from, a wrong one is wrong usage.
        throw error instanceof BrokerlessError && error.code === "invalid_config" ? new UsageError(error.message) : error;
      }),
    );
}

async function serve({ config, json, ...flags }: Record<string, unknown>, { io, out, err }: Context): Promise<void> {
  const settings = await loadConfig({
    flags,
    env: io.env,
    otherEnv: CLIENT_ENV,
    ...(typeof config === "string" ? { configFile: config } : {}),
  });
  // Only this command needs the server's code; the others start faster without it.
  const { startServer } = await import("../../server/start.ts");
  if (io.interrupted.aborted) return;
  const server = await startServer({
    ...settings,
    sns: (region) => snsIn(region, io.env),
    onLine: (line) => err.tell(`${line}\n`),
  });
  try {
    if (json)
      await out.json({
        event: "listening",
        url: server.url,
        kafka: server.kafka ?? null,
        auth: server.auth,
        cluster_id: server.clusterId,
        durability: server.durability,
      });
    else {
      await out.write(greeting(server, placeOf(settings), io.env["npm_lifecycle_event"] === "start"));
      if (server.auth === "token" && !server.hasTokens) err.tell(noTokens(settings));
    }
    await interrupted(io.interrupted);
    if (!json) err.tell("stopping: requests under way may finish (Ctrl-C again ends at once)\n");
  } finally {
    await server.close();
  }
  if (json) await out.json({ event: "stopped" });
  else err.tell("stopped\n");
}

/** Where the log is, for people. */
function placeOf({ storage, data, table, bucket }: ServerConfig): string | undefined {
  if (storage === "embedded") return data;
  return storage === "aws" ? `table ${table} and bucket ${bucket}` : undefined;
}

/** What a newcomer can do next, in the words of how the server was started. */
function greeting({ url, kafka, durability }: RunningServer, place: string | undefined, startedByNpm: boolean): string {
  const where = place === undefined ? durability : `${durability}; in ${place}`;
  const flag = url === DEFAULT_URL ? "" : ` --url ${url}`;
  const command = startedByNpm ? "npm run -s brokerless --" : "brokerless";
  const demo = startedByNpm ? "  npm run demo\n" : "";
  const clients = kafka === undefined ? "" : `Kafka clients connect to ${kafka}\n`;
  return `Brokerless listens on ${url} (${where})
${clients}Next, in another terminal:
${demo}  ${command} topic create hello${flag}
  echo "hello, world" | ${command} produce hello${flag}
  ${command} consume hello -e${flag}
Ctrl-C stops it.
`;
}

/** Nobody can call a server that asks for tokens while there is none. */
function noTokens({ storage, data, table, bucket }: ServerConfig): string {
  const first = "brokerless token create --name admin --admin";
  const how =
    storage === "embedded"
      ? `stop the server, then: ${first} --data ${data}`
      : storage === "aws"
        ? `${first} --table ${table} --bucket ${bucket}`
        : "the memory storage cannot have one before it starts: use another storage, or --auth none";
  return `There is no token yet, and this server answers nobody without one. To make the first: ${how}\n`;
}

function interrupted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
