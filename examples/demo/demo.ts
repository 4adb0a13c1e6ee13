/**
 * `npm run demo`: real flights go into a log and come out again, twice, while its server is killed and started in the
 * middle; then hashes prove that nothing was lost, doubled or put out of order. Exit code 1 where the proof fails.
 */
import { parseArgs } from "node:util";
import { count, duration } from "../../lib/cli/ui/numbers.ts";
import { table } from "../../lib/cli/ui/table.ts";
import { Brokerless, BrokerlessError } from "../../lib/client/index.ts";
import { compare } from "./evidence.ts";
import { openFlights } from "./flights.ts";
import { OwnServer } from "./own-server.ts";
import { type RunOptions, type RunResult, run } from "./run.ts";
import { Screen } from "./screen.ts";

const HELP = `npm run demo [-- --rows <n|all>] [-- --partitions <n>] [-- --url <server>]

  --rows        how many flights, or all three million (default 272,727)
  --partitions  how many partitions (default 6)
  --url         a running server, which gets the flights too; default http://127.0.0.1:8080 where one answers
`;

const DEFAULT_ROWS = 272_727;
const DEFAULT_URL = "http://127.0.0.1:8080";

const screen = new Screen();

class UsageError extends Error {}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rows: { type: "string", default: String(DEFAULT_ROWS) },
      partitions: { type: "string", default: "6" },
      url: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const flights = await openFlights();
  const rows = values.rows === "all" ? flights.rows : whole("--rows", values.rows, 1, flights.rows);
  const partitions = whole("--partitions", values.partitions, 1, 100);
  const common = { flights, rows, partitions, screen };
  screen.say(
    `${count(rows)} real flights (United States, 2001), keyed by airport, into a topic with ${count(partitions)} partitions`,
  );

  const server = new OwnServer();
  const interrupt = (): void => {
    server.removeNow();
    process.exit(130);
  };
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  let holds: boolean;
  try {
    await server.start();
    screen.say(`a server of the demo's own, which it may kill, listens on ${server.url}`);
    const options: RunOptions = {
      ...common,
      url: server.url,
      topic: "flights",
      atThird: (third, n) => restart(server, third, n),
    };
    holds = report(options, await run(options));
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
    await server.remove();
  }
  return (await runningServerToo(common, values.url)) && holds ? 0 : 1;
}

async function restart(server: OwnServer, third: 1 | 2, acknowledged: number): Promise<void> {
  const started = performance.now();
  if (third === 1) {
    await server.stop("SIGKILL");
    screen.say(`! server killed (kill -9) with ${count(acknowledged)} flights acknowledged; the producer and the reader wait`);
  } else {
    await server.stop("SIGTERM");
    screen.say(`! server stopped, as Ctrl-C does it, with ${count(acknowledged)} flights acknowledged`);
  }
  await server.start();
  screen.say(`! server started again after ${duration(performance.now() - started)}; they go on`);
}

/** Shows the proof, and answers whether it holds. */
function report({ rows, screen: out }: RunOptions, { sent, readers, misplaced, logEnd }: RunResult): boolean {
  const verdict = compare(sent, readers);
  const cell = (same: boolean | undefined): string => (same ? "the same" : "DIFFERENT");
  const lines = verdict.partitions.map(({ count: n, sha256, same }, partition) => [
    partition,
    count(n),
    sha256.slice(0, 16),
    cell(same[0]),
    cell(same[1]),
  ]);
  out.say(`\n${table(["PARTITION", "SENT", "SHA-256, IN ORDER", "READER 1", "READER 2"], lines)}`);
  const counts = [sent.count, ...readers.map((reader) => reader.count), logEnd];
  const holds = verdict.holds && misplaced === 0 && counts.every((n) => n === rows);
  if (holds) {
    out.good(
      `${count(rows)} flights sent, and each reader read these and no others, byte for byte and in order; ${sent.keys} airports, each in one partition`,
    );
  } else {
    out.bad(
      `the proof fails: sent ${count(sent.count)}, read ${readers.map((reader) => count(reader.count)).join(" and ")}, in the log ${count(logEnd)}, ` +
        `acknowledged at a wrong place ${count(misplaced)}`,
    );
  }
  return holds;
}

/** A server that runs already is not touched, but gets the flights too, so that they can be looked at. */
async function runningServerToo(common: Omit<RunOptions, "url" | "topic">, given: string | undefined): Promise<boolean> {
  const url = given ?? DEFAULT_URL;
  const { admin } = new Brokerless({ url });
  let names: Set<string>;
  try {
    names = new Set((await admin.listTopics()).map(({ name }) => name));
  } catch (error) {
    if (given !== undefined || !(error instanceof BrokerlessError)) throw error;
    return true;
  }
  let topic = "flights";
  for (let n = 2; names.has(topic); n++) topic = `flights-${n}`;
  screen.say(`\nyour server at ${url} gets them too, as topic ${topic}; nobody stops it`);
  const options = { ...common, url, topic };
  const holds = report(options, await run(options));
  const flag = url === DEFAULT_URL ? "" : ` --url ${url}`;
  screen.say(`look at them:  npm run -s brokerless -- consume ${topic} -o -1 -e -J${flag}`);
  return holds;
}

function whole(option: string, text: string, min: number, max: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new UsageError(`${option} takes a whole number from ${count(min)} to ${count(max)}; it is ${JSON.stringify(text)}`);
}

try {
  process.exitCode = await main();
} catch (error) {
  screen.unwatch();
  const isUsage =
    error instanceof UsageError || (error instanceof Error && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS"));
  process.exitCode = isUsage ? 2 : 1;
  process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`);
}
