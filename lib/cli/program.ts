/** The command line as a whole: its commands, and how it ends. */
import { Command } from "commander";
import { addConsumeCommand } from "./commands/consume.ts";
import { addGroupCommand } from "./commands/group.ts";
import { addHealthCommand } from "./commands/health.ts";
import { addLagCommand } from "./commands/lag.ts";
import { addMaintainCommand } from "./commands/maintain.ts";
import { addProduceCommand } from "./commands/produce.ts";
import { addQueueCommand } from "./commands/queue.ts";
import { addReplayCommand } from "./commands/replay.ts";
import { addServeCommand } from "./commands/serve.ts";
import { addTokenCommand } from "./commands/token.ts";
import { addTopicCommand } from "./commands/topic.ts";
import { addTunnelCommand } from "./commands/tunnel.ts";
import { addVerifyCommand } from "./commands/verify.ts";
import type { Context } from "./context.ts";
import { EXIT, EXIT_CODES_HELP, exitCodeOf, OutputClosed } from "./exit-codes.ts";
import { failureLine } from "./failure-line.ts";
import { examples } from "./help.ts";
import type { Io } from "./io.ts";
import { Output } from "./ui/output.ts";

/** Commands whose `--json` is about records, not about what the command says. */
const RECORDS_AS_JSON = new Set(["produce", "consume"]);

/** Commands that end by being stopped. */
const RUNS_UNTIL_STOPPED = new Set(["serve", "tunnel"]);

/** Runs one command line (without `node` and the script) and answers the exit code. Never throws. */
export async function runCli(argv: readonly string[], io: Io, version: string): Promise<number> {
  const context: Context = { io, out: new Output(io.stdout), err: new Output(io.stderr) };
  const printed: Promise<void>[] = [];
  const program = new Command("brokerless")
    .description("Kafka's log without the brokers, over HTTP.")
    .version(version, "-V, --version", "print the version")
    .configureOutput({
      writeOut: (text) => printed.push(context.out.write(text)),
      writeErr: (text) => printed.push(context.err.write(text)),
      // What is wrong is told below, once, in one line.
      outputError: () => {},
      getOutHelpWidth: () => Math.min(context.out.columns, 110),
      getErrHelpWidth: () => Math.min(context.err.columns, 110),
    })
    .exitOverride()
    .addHelpText(
      "after",
      `${examples(
        ["brokerless serve", "run a server on 127.0.0.1:8080"],
        ["brokerless topic create clicks --partitions 3", "make a topic"],
        ["echo 'ada:hello' | brokerless produce clicks -K :", "write a record with the key ada"],
        ["brokerless consume clicks -o beginning -e", "read all there is"],
      )}\n\n${EXIT_CODES_HELP}\n\nbrokerless <command> --help says more of each.`,
    );
  addServeCommand(program, context);
  addTopicCommand(program, context);
  addTokenCommand(program, context);
  addProduceCommand(program, context);
  addConsumeCommand(program, context);
  addGroupCommand(program, context);
  addQueueCommand(program, context);
  addLagCommand(program, context);
  addReplayCommand(program, context);
  addTunnelCommand(program, context);
  addMaintainCommand(program, context);
  addVerifyCommand(program, context);
  addHealthCommand(program, context);

  let code: number = EXIT.ok;
  try {
    await program.parseAsync([...argv], { from: "user" });
  } catch (error) {
    code = exitCodeOf(error);
    const line = failureLine(error, argv.includes("--json") && !RECORDS_AS_JSON.has(argv[0] ?? ""));
    if (line !== undefined) context.err.tell(`${line}\n`);
  }
  await Promise.all(printed).catch((error) => {
    if (!(error instanceof OutputClosed)) code = EXIT.failure;
  });
  return code === EXIT.ok || code === EXIT.failure || code === EXIT.unreachable ? interruptedCode(io, argv, code) : code;
}

/** A command that was stopped from outside says so, unless being stopped is how it ends. */
function interruptedCode(io: Io, argv: readonly string[], code: number): number {
  if (!io.interrupted.aborted || (RUNS_UNTIL_STOPPED.has(argv[0] ?? "") && code === EXIT.ok)) return code;
  return io.interrupted.reason === "SIGTERM" ? EXIT.sigterm : EXIT.sigint;
}
