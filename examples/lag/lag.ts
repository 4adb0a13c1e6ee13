/**
 * `npm run demo:lag`: four consumers read one topic, each in a process of its own: one is well, one is killed (kill -9), one is
 * slower than what comes in, one is stuck. The server is told nothing of it, and says which is which: in its API, on the command
 * line and in its metrics alike, within the looks that docs/lag.md names. Exit code 1 where it does not.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { table } from "../../lib/cli/ui/table.ts";
import { Brokerless } from "../../lib/client/index.ts";
import { OwnServer } from "../demo/own-server.ts";

const HELP = `npm run demo:lag [-- --interval-ms <ms>]

  --interval-ms  how often the server looks at lag (default 1000; a real one: 10 s, on AWS 60 s)
`;
const TOPIC = "orders";
const IN_PER_SECOND = 20;
/** Group, records a second, and what it is to be. */
const CONSUMERS = [
  { group: "well", perSecond: 1000, status: "OK" },
  { group: "killed", perSecond: 1000, status: "STOP" },
  { group: "slow", perSecond: 5, status: "WARN" },
  { group: "stuck", perSecond: 0, status: "STALL" },
] as const;
/** docs/lag.md: ten, and one on either side since nobody waits for a look to begin. */
const LOOKS_MOST = 12;
/** As `brokerless_consumer_status` has them. */
const NUMBERS: Readonly<Record<string, number>> = { OK: 1, WARN: 2, ERR: 3, STOP: 4, STALL: 5, REWIND: 6 };
const CONSUMER = fileURLToPath(new URL("consumer.ts", import.meta.url));
const CLI = fileURLToPath(new URL("../../bin/brokerless.ts", import.meta.url));

const { values } = parseArgs({
  options: { "interval-ms": { type: "string", default: "1000" }, help: { type: "boolean", default: false } },
});
const intervalMs = Number(values["interval-ms"]);
if (values.help) process.stdout.write(HELP);
else if (!Number.isInteger(intervalMs) || intervalMs < 500 || intervalMs > 60_000) {
  process.stderr.write(
    `demo: --interval-ms takes a whole number from 500 to 60000; it is ${JSON.stringify(values["interval-ms"])}\n`,
  );
  process.exitCode = 2;
} else process.exitCode = (await main()) ? 0 : 1;

type Seen = Readonly<Record<"API" | "CLI" | "METRICS", string>>;

async function main(): Promise<boolean> {
  const server = new OwnServer(["--lag-interval-ms", String(intervalMs)]);
  const children = new Map<string, ChildProcess>();
  const producing = new AbortController();
  let produced: Promise<void> | undefined;
  const letGo = (): void => {
    for (const child of children.values()) child.kill("SIGKILL");
  };
  process.once("SIGINT", () => {
    letGo();
    server.removeNow();
    process.exit(130);
  });
  try {
    await server.start();
    const client = new Brokerless({ url: server.url });
    await client.admin.createTopic({ name: TOPIC });
    produced = produce(client, producing.signal);
    for (const { group, perSecond } of CONSUMERS) {
      const args = [CONSUMER, server.url, TOPIC, group, String(perSecond)];
      children.set(group, spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] }));
    }
    say(`${IN_PER_SECOND} orders a second, four consumers, a look every ${intervalMs / 1000} s`);
    // A full window: the most that a verdict may take is shown.
    await pause(11 * intervalMs);
    await watch(server.url, "killed", "OK");
    children.get("killed")?.kill("SIGKILL");
    const killedAtMs = performance.now();
    say("the consumer of group killed is killed (kill -9)");
    let holds = true;
    const rows: (string | number)[][] = [];
    for (const { group, status } of CONSUMERS) {
      const seen = await watch(server.url, group, status);
      const looks = Math.ceil((performance.now() - killedAtMs) / intervalMs);
      const asTold = Object.values(seen).every((one) => one === status) && (group !== "killed" || looks <= LOOKS_MOST);
      holds &&= asTold;
      rows.push([group, status, seen.API, seen.CLI, seen.METRICS, group === "killed" ? looks : "-", asTold ? "yes" : "NO"]);
    }
    process.stdout.write(`\n${table(["GROUP", "IT IS", "API", "CLI", "METRICS", "LOOKS", "AS TOLD"], rows)}`);
    say(holds ? "✓ each was told apart, in API, CLI and metrics alike" : "✗ not all were told apart");
    return holds;
  } finally {
    producing.abort();
    letGo();
    await produced?.catch(() => {});
    await server.remove();
  }
}

async function produce(client: Brokerless, signal: AbortSignal): Promise<void> {
  const producer = client.producer();
  for (let i = 0; !signal.aborted; i++) {
    await producer.send({ topic: TOPIC, partition: 0, value: `order ${i}` });
    await pause(1000 / IN_PER_SECOND);
  }
  await producer.close();
}

/** Until all three say so, at most so many looks; answers what they said last. */
async function watch(url: string, group: string, status: string): Promise<Seen> {
  const untilMs = performance.now() + (LOOKS_MOST + 1) * intervalMs;
  for (;;) {
    const seen = await look(url, group);
    if (Object.values(seen).every((one) => one === status) || performance.now() > untilMs) return seen;
    await pause(intervalMs / 4);
  }
}

async function look(url: string, group: string): Promise<Seen> {
  const [api, cli, metrics] = await Promise.all([
    new Brokerless({ url }).groups.lag(group),
    promisify(execFile)(process.execPath, [CLI, "lag", group, "--json", "--url", url]),
    fetch(`${url}/metrics`).then((response) => response.text()),
  ]);
  const [told] = JSON.parse(cli.stdout) as { status: string }[];
  const line = metrics.split("\n").find((one) => one.startsWith(`brokerless_consumer_status{group="${group}"`));
  const number = Number(line?.split(" ").at(-1));
  return {
    API: api[0]?.status ?? "nothing",
    CLI: told?.status ?? "nothing",
    METRICS: Object.keys(NUMBERS).find((name) => NUMBERS[name] === number) ?? "nothing",
  };
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
